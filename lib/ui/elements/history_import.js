// The text of an exported file: JSON, or ChatGPT's whole .zip, of which only the conversations are read.

const LARGEST_TEXT = 20_000_000; // characters that are sent on; browsers keep a quarter of that
const LARGEST_JSON = 400_000_000;
const TOO_LARGE = "This file has more than 20 MB of conversations: no browser could keep them. Export fewer.";
const NO_ZIP = "This .zip cannot be read. Unpack it, and import its conversations.json.";
const UNREADABLE = "The browser cannot read this file. Choose it again.";
const CONVERSATIONS = /(^|\/)conversations(-\d+)?\.json$/;
const END_OF_ZIP = 0x06054b50;
const ENTRY_OF_ZIP = 0x02014b50;
const DEFLATED = 8;

class Told extends Error {} // in words for the person

// What of a message's metadata is looked at later; the rest is most of ChatGPT's file.
function slim(key, value) {
  if (key !== "metadata" || !value) return value;
  const { model_slug, is_visually_hidden_from_conversation, attachments } = value;
  const files = Array.isArray(attachments) ? attachments.map(() => 0) : undefined;
  return { model_slug, is_visually_hidden_from_conversation, attachments: files };
}

async function view(file, from, to) {
  return new DataView(await file.slice(from, to).arrayBuffer());
}

// The entries of the zip's own list, each with its place, its sizes and whether it is deflated.
async function entries(file) {
  const from = Math.max(0, file.size - 66_000);
  const tail = await view(file, from, file.size);
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== END_OF_ZIP) at--;
  if (at < 0) throw new Told(NO_ZIP);
  const start = tail.getUint32(at + 16, true);
  const list = await view(file, start, start + tail.getUint32(at + 12, true));
  const found = [];
  for (let one = 0; one + 46 <= list.byteLength && list.getUint32(one, true) === ENTRY_OF_ZIP; ) {
    const [name, extra, comment] = [28, 30, 32].map((place) => list.getUint16(one + place, true));
    found.push({
      name: new TextDecoder().decode(new Uint8Array(list.buffer, one + 46, name)),
      isDeflated: list.getUint16(one + 10, true) === DEFLATED,
      packed: list.getUint32(one + 20, true),
      size: list.getUint32(one + 24, true),
      at: list.getUint32(one + 42, true),
    });
    one += 46 + name + extra + comment;
  }
  return found;
}

async function unpacked(file, entry) {
  if (entry.size > LARGEST_JSON) throw new Told(TOO_LARGE);
  const head = await view(file, entry.at, entry.at + 30);
  const from = entry.at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = file.slice(from, from + entry.packed).stream();
  return bounded(entry.isDeflated ? packed.pipeThrough(new DecompressionStream("deflate-raw")) : packed);
}

// A zip may say of itself that it is small, and never end.
async function bounded(stream) {
  const [reader, decoder, parts] = [stream.getReader(), new TextDecoder(), []];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return parts.join("") + decoder.decode();
    size += value.length;
    if (size > LARGEST_JSON) {
      reader.cancel();
      throw new Told(TOO_LARGE);
    }
    parts.push(decoder.decode(value, { stream: true }));
  }
}

async function fromZip(file) {
  const found = (await entries(file)).filter(({ name }) => CONVERSATIONS.test(name));
  if (!found.length) throw new Told("This .zip has no conversations.json. Choose the one that ChatGPT has sent.");
  const texts = [];
  for (const entry of found) texts.push(await unpacked(file, entry));
  return texts.length === 1 ? texts[0] : JSON.stringify(texts.flatMap((text) => JSON.parse(text)));
}

// The text to be sent on, or an Error in words for the person.
export async function importedText(file) {
  const isZip = new TextDecoder().decode(await file.slice(0, 2).arrayBuffer()) === "PK";
  if (!isZip && file.size > LARGEST_JSON) throw new Told(TOO_LARGE);
  let text = "";
  try {
    text = isZip ? await fromZip(file) : await file.text();
    if (text.includes('"mapping"')) text = JSON.stringify(JSON.parse(text, slim));
  } catch (error) {
    if (error instanceof Told) throw error;
    if (!(error instanceof SyntaxError)) throw new Told(isZip ? NO_ZIP : UNREADABLE);
  }
  if (text.length > LARGEST_TEXT) throw new Told(TOO_LARGE);
  return text;
}
