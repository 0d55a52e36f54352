"""An adapter whose framework cannot be imported."""

raise ImportError("libframework.so.1: cannot open shared object file")
