// The official openai package for Node.

const OpenAI = require("openai");

const { MODEL, CALLER, BASE } = process.env;
const client = new OpenAI({ baseURL: `${BASE}/v1`, apiKey: "berth", maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of France? One word." }];
const tools = [{ type: "function", function: { name: "bash", parameters: { type: "object" } } }];

async function main() {
  console.log("openai", require("openai/version").VERSION);
  const listed = await client.models.list();
  console.log("models:", listed.data.map((model) => model.id));
  const answer = await client.chat.completions.create({ model: MODEL, messages, max_tokens: 20 });
  console.log("chat:", answer.choices[0].message.content, answer.choices[0].finish_reason);
  let text = "";
  const asked = { model: MODEL, messages, max_tokens: 20, stream: true };
  for await (const chunk of await client.chat.completions.create(asked)) {
    text += chunk.choices[0]?.delta?.content ?? "";
  }
  console.log("chat stream:", text);
  const runner = client.chat.completions.stream({ model: CALLER, messages, tools });
  const whole = await runner.finalChatCompletion();
  console.log("tool call:", whole.choices[0].message.tool_calls[0].function.arguments);
  const reply = await client.responses.create({ model: MODEL, input: "Say hello.", max_output_tokens: 10 });
  console.log("responses:", reply.output_text, reply.status);
  const kinds = [];
  const wish = { model: MODEL, input: "Say hello.", max_output_tokens: 10, stream: true };
  for await (const event of await client.responses.create(wish)) kinds.push(event.type);
  console.log("responses stream:", kinds[0], "…", kinds.at(-1));
  try {
    await client.chat.completions.create({ model: "nobody", messages });
    process.exit(1);
  } catch (error) {
    console.log("unknown model:", error.constructor.name, error.status, error.message);
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
