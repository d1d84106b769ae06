"""The README in an archive of results."""

from __future__ import annotations

import shlex

from benchmark.exchange.results_manifest import ResultsManifest

_TEXT = """# Results of {studies}

{num_runs} runs of chimera-bench {version}, with their records, pixel counts, specs and losses, the plans of the
studies, and the tables that were drawn from them.

| file | content |
| :-- | :-- |
| `tables/` | tables of each study as text, Markdown, LaTeX, HTML, csv and JSON |
| `runs/` | runs, plans and papers: a store, which `chimera-bench --runs runs` reads in place |
| `MANIFEST.json` | runs with the digests of their pixel counts, their code and environments, each once |
| `SHA256SUMS` | SHA-256 of every other file |

Check the files, with or without chimera-bench, and draw every table again to compare it with the one in here:

```
sha256sum --check --quiet SHA256SUMS
chimera-bench import ARCHIVE.zip --check
```

Take the runs into your own store, where no result is overwritten, and draw the tables:

```
chimera-bench import ARCHIVE.zip
{commands}
```

The tables are identical, byte for byte, if they are drawn by the same version of the package. Another version draws the
same numbers, and may word notes differently or call results stale whose code has changed since. Nothing in the archive
is executed: it holds JSON, YAML, text and arrays of integers.
"""


def format_readme(manifest: ResultsManifest) -> str:
    """Return the README of an archive with this manifest."""
    commands = [shlex.join(["chimera-bench", "table", name]) for name in manifest.studies]
    return _TEXT.format(
        studies=", ".join(manifest.studies),
        num_runs=manifest.num_runs,
        version=manifest.package.version,
        commands="\n".join(commands),
    )
