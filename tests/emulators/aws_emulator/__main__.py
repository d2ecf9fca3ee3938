"""Starts MiniStack with the stand-ins registered."""

import os

# Set before MiniStack is imported: it reads its settings then.
os.environ.setdefault("BIND_HOST", "127.0.0.1")
os.environ.setdefault("IOT_MTLS_ENABLED", "0")
os.environ.setdefault("LOG_LEVEL", "WARNING")

from ministack.app import main

from aws_emulator import (
    authorization,
    buckets,
    changesets,
    databrew,
    endpoints,
    inline_code,
    quality,
    replacement,
    resource_types,
    sagemaker,
    services,
)

if __name__ == "__main__":
    resource_types.register()
    replacement.register()
    buckets.register()
    changesets.register()
    inline_code.register()
    databrew.register()
    sagemaker.register()
    endpoints.register()
    services.register()
    quality.register()
    authorization.register()
    main()
