"""A Llama of random weights in the Hub's format: python tiny_checkpoint.py FOLDER SEED

To be run by a Python that has torch, transformers and tokenizers, as vLLM's environment has.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SENTENCES = [
    "What is the capital of France?",
    "The capital of France is Paris.",
    "Good morning. How can this model help?",
]
MARKS = ["<|begin|>", "<|end|>", "<|pad|>", "<|turn|>"]
TEMPLATE = (
    "{% for turn in messages %}<|turn|>{{ turn.role }}: {{ turn.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant:{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """One that knows every byte, and some pieces of the sentences."""
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=MARKS, initial_alphabet=alphabet)
    pieces.train_from_iterator(SENTENCES * 20, trainer)
    begin, end, pad, _ = MARKS
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        bos_token=begin,
        eos_token=end,
        pad_token=pad,
        chat_template=TEMPLATE,
    )


def main(folder: Path, seed: int) -> None:
    """Write it."""
    words = tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    LlamaForCausalLM(config).to(torch.float32).save_pretrained(folder)
    words.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
