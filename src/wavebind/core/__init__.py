"""What every package needs, and nothing of DNA: errors, settings, files, devices, processes.

Ask it to read settings, to write a file whole or not at all, and to share out work.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "devices": ["resolve_device"],
        "errors": ["InputError", "UsageError", "WavebindError"],
        "files": ["replace_dir", "replace_file"],
        "jsonfiles": ["read_json", "write_json"],
        "processes": ["run_isolated"],
        "settings": ["Settings", "describe", "from_dict", "to_dict", "with_values"],
        "workers": ["WorkerPool", "run_chunks"],
    },
)
