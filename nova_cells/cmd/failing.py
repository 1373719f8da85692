# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What an operator's command does with a problem: one sentence on stderr and an exit code."""

import sys

from nova_cells.domain import errors


class OneSentence:
    """Mix-in for cliff commands, before their own class."""

    def run(self, parsed_args) -> int:
        try:
            return super().run(parsed_args) or 0
        except errors.Problem as problem:
            return self.fail(str(problem), 2 if isinstance(problem, errors.Invalid) else 1)
        except Exception as error:
            if self.app.options.debug:
                raise
            first = (str(error).strip() or "?").splitlines()[0]
            return self.fail(f"{type(error).__name__}: {first}; is the schema that of this "
                             f"version ('{self.app.NAME} db sync')? --debug shows more", 1)

    def fail(self, sentence: str, code: int) -> int:
        sys.stderr.write(f"{self.app.NAME}: {' '.join(sentence.split())}\n")
        return code
