"""The process behind oracle.py; it is killed as soon as it has printed its plan.

Run by path, so that it imports nothing but the engine.
"""

import contextlib
import sys

PLAN_BYTES = 2**31  # enough to plan with, too little to load a large model when nobody kills it


def main() -> None:
    """Begin to load: path, context of all slots together, slots, cache type, batch, read|write."""
    import xllamacpp

    path, context, slots, cache_type, batch, what = sys.argv[1:]
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel = int(context), int(slots)
    params.n_ubatch = int(batch)
    params.n_batch = max(params.n_batch, params.n_ubatch)
    params.embedding = what == "read"
    kind = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{cache_type.upper()}")
    params.cache_type_k = params.cache_type_v = kind
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_gpu_layers, params.cache_ram_mib, params.warmup = 0, 0, False
    params.cpuparams.n_threads = 1
    params.verbosity = 4  # the least that prints the plan
    xllamacpp.Server(params)


def limit() -> None:
    """Leave no core file, and fail rather than fill the memory (on Linux; elsewhere a no-op)."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (PLAN_BYTES, PLAN_BYTES))


if __name__ == "__main__":
    limit()
    main()
