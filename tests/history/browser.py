"""A headless Chromium, driven through the two pipes of its DevTools protocol.

Ref: chromedevtools.github.io/devtools-protocol; messages are JSON, ended by a zero byte, read by
the browser from file 3 and written to file 4 (--remote-debugging-pipe).
"""

import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
DEADLINE_S = 60


def find():
    """The browser's program, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page. `problems` collects what the console and the page complain of."""

    def __init__(self, folder):
        to_read, self.to_write = os.pipe()
        self.to_read, to_write = os.pipe()
        options = (
            "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run "
            f"--disable-extensions --user-data-dir={folder} --remote-debugging-pipe about:blank"
        )
        command = f"exec {find()} {options} 3<&{to_read} 4>&{to_write}"
        self.process = subprocess.Popen(
            ["bash", "-c", command], pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(to_write)
        self.number, self.data, self.events, self.problems = 0, b"", [], []
        targets = self.call("Target.getTargets")["targetInfos"]
        (page,) = [target for target in targets if target["type"] == "page"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """The result of a command; AssertionError when the browser refuses it."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def open(self, path, width=1280, height=900):
        """Load a local file at a width in CSS pixels, as a phone does below 600."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.call("Page.navigate", url=path.as_uri())
        while not any(event == "Page.loadEventFired" for event in self.events):
            self._note(self._next())
        self.events.clear()

    def value(self, script):
        """What a JavaScript expression gives, as JSON."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key, code):
        """A key, as a keyboard sends it."""
        text = "\r" if key == "Enter" else ""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text,
                windowsVirtualKeyCode=code,
            )  # fmt: skip

    def dark(self, is_dark):
        """What the reader prefers."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def close(self):
        os.close(self.to_write)
        os.close(self.to_read)
        self.process.terminate()
        self.process.wait(timeout=DEADLINE_S)

    def _next(self):
        until = time.monotonic() + DEADLINE_S
        while b"\0" not in self.data:
            ready, _, _ = select.select([self.to_read], [], [], max(0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            received = os.read(self.to_read, 1 << 16)
            assert received, "the browser has ended"
            self.data += received
        message, _, self.data = self.data.partition(b"\0")
        return json.loads(message)

    def _note(self, message):
        method, parameters = message.get("method"), message.get("params", {})
        self.events.append(method)
        is_error = (
            method == "Runtime.exceptionThrown"
            or (method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"))
            or (method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"))
        )
        if is_error:
            self.problems.append(parameters)
