"""What a model needs and whether it fits, from its header alone; nothing here touches an engine.

gguf reads headers, architecture makes their numbers a shape, memory turns shape, load and room
into a verdict, quantizations knows the names of what files are stored in.
"""
