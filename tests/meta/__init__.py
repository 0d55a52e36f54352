# Options of runs that the tests start: a folder of their own for what frameworks compile, kept from run to run.
CACHE = ("-o", "cache_dir=.pytest_cache/suite")
