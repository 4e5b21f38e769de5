"""What a model needs and whether it fits, from its header alone; nothing here touches an engine.

For the processor: gguf reads headers, architecture makes their numbers a shape, memory turns shape,
load and room into a verdict, quantizations knows the names of what files are stored in.

For graphics cards: safetensors reads headers and tensor_sums adds up what is in them, model_config
reads config.json, weight_formats and layer_caches know what it means, checkpoint takes it together,
kv_pool divides the cache as vLLM does, card_memory turns all that and the cards into a verdict, and
ways_out says what would fit instead.
"""
