"""The project's benchmarks: `python -m benchmarks [NAME ...]`, or `make bench`. None of them checks anything."""
