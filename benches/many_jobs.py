"""Writes a project with many jobs: `many_jobs.py N DIR`. Each job reads the table of the one before it."""

import sys
from pathlib import Path


def blueprint(jobs: int) -> str:
    tables = "".join(
        f"  t{n}: {{ zone: lake, format: parquet, columns: {{ id: int, value: double }} }}\n" for n in range(jobs + 1)
    )
    steps = "".join(f"  j{n}: {{ script: job.py, reads: [t{n}], writes: [t{n + 1}] }}\n" for n in range(jobs))
    return (
        "name: many\nenvironments: { dev: { region: eu-west-1 } }\nzones: { lake: { keep: forever } }\n"
        f"tables:\n{tables}jobs:\n{steps}"
    )


def main() -> None:
    jobs, folder = int(sys.argv[1]), Path(sys.argv[2])
    (folder / "blueprints").mkdir(parents=True, exist_ok=True)
    (folder / "blueprints" / "many.yaml").write_text(blueprint(jobs))
    (folder / "job.py").write_text("print('a job')\n")


if __name__ == "__main__":
    main()
