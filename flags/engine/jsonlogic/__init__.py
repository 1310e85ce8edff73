"""JsonLogic as flagd has it: its reader, its compiler, and the plain JSON back.

    logic = read_logic({"starts_with": [{"var": "email"}, "alice@"]})
    is_met = compile_logic(logic)
    is_met({"email": "alice@shop.example", "$flagd": {"flagKey": "beta", "timestamp": 1}})

Implementations of JsonLogic differ in what they make of odd arguments. Where flagd's own (Go)
gives an answer, that is ours; except where it is plainly an accident, such as reading another
attribute than the one named, or running data as logic: there ours is json-logic-js's, on which
JsonLogic is defined. tests/cases/engine/jsonlogic.json lists what was found to differ.
"""

from flags.engine.document import Logic
from flags.engine.jsonlogic.compiling import CompiledLogic, compile_logic
from flags.engine.jsonlogic.fractional import FRACTIONALS
from flags.engine.jsonlogic.reading import read_logic

__all__ = [
    "FRACTIONALS",
    "CompiledLogic",
    "Logic",
    "compile_logic",
    "read_logic",
]
