"""A headless Chromium that is driven by lines of JSON: one command per line, one answer per line. It ends with its
standard input. It speaks the DevTools protocol over a pipe: messages that end with a zero byte, on descriptors 3
and 4 of the browser (https://chromedevtools.github.io/devtools-protocol/, `--remote-debugging-pipe`)."""

import base64
import collections
import fcntl
import json
import os
import queue
import subprocess
import sys
import threading
import time

LIMIT = 60

# Each violation of the page's Content-Security-Policy, kept where the page's own script does not look.
WATCH = "addEventListener('securitypolicyviolation', event => (window.violations ||= []).push(`${event.violatedDirective} ${event.blockedURI}`))"

# The middle of an element that has been in the same place for two frames.
REST = """(async () => {
    const element = document.querySelector(%s), frame = () => new Promise(requestAnimationFrame)
    element.scrollIntoView({ block: 'center' })
    for (let last = '', same = 0; ; ) {
        const { x, y, width, height } = element.getBoundingClientRect(), place = [x + width / 2, y + height / 2]
        same = String(place) === last ? same + 1 : 0
        if (same === 2) return place
        last = String(place)
        await frame()
    }
})()"""

# Key codes for keys that are not a character (DOM KeyboardEvent.key, Windows virtual key codes).
KEYS = {"Enter": (13, "\r"), "Escape": (27, None), "Tab": (9, None), "ArrowDown": (40, None), "ArrowUp": (38, None)}


class Browser:
    def __init__(self, program, folder):
        # Away from 3 and 4, where the browser wants its ends.
        commands, self.out = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in os.pipe())
        self.into, answers = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in os.pipe())

        def ends():
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        # In a test's own namespace there is no sandbox to be had; what it opens is the page under test.
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--lang=en",
             "--remote-debugging-pipe", f"--user-data-dir={folder}", f"--crash-dumps-dir={folder}"],
            pass_fds=(3, 4), preexec_fn=ends, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self.number = 0
        self.waiting = {}
        self.lock = threading.Lock()
        self.loaded = queue.Queue()
        self.requests, self.messages = [], []
        self.session = None
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        rest = b""
        while piece := os.read(self.into, 1 << 16):
            *whole, rest = (rest + piece).split(b"\0")
            for text in whole:
                self.take(json.loads(text))
        for answer in list(self.waiting.values()):
            answer.put({"error": {"message": "the browser has ended"}})

    def take(self, message):
        if "id" in message:
            return self.waiting.pop(message["id"]).put(message)
        about, method = message.get("params", {}), message.get("method")
        if method == "Page.loadEventFired":
            self.loaded.put(True)
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif method == "Fetch.requestPaused":
            threading.Thread(target=self.fulfil, args=(about["requestId"],), daemon=True).start()
        elif method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.messages.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.messages.append(" ".join(str(value.get("value", value.get("description"))) for value in about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.messages.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")

    def call(self, method, **params):
        answer = queue.Queue()
        with self.lock:
            self.number += 1
            self.waiting[self.number] = answer
            message = {"id": self.number, "method": method, "params": params}
            if self.session and not method.startswith("Target."):
                message["sessionId"] = self.session
            os.write(self.out, json.dumps(message).encode() + b"\0")
        result = answer.get(timeout=LIMIT)
        if "error" in result:
            raise RuntimeError(f"{method}: {result['error']['message']}")
        return result["result"]

    def attach(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    # MARK: Commands

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.loaded.get(timeout=LIMIT)

    def view(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=int(width), height=int(height), deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def answer(self, pattern, path):
        """From now on requests that match get a file as their answer."""
        self.answered = path
        self.call("Fetch.enable", patterns=[{"urlPattern": pattern}])

    def fulfil(self, request):
        with open(self.answered, "rb") as file:
            body = base64.b64encode(file.read()).decode()
        self.call("Fetch.fulfillRequest", requestId=request, responseCode=200, body=body)

    def wait(self, script):
        """Polls until a script's value is true, because the page reports no changes."""
        end = time.monotonic() + LIMIT
        while not self.evaluate(f"!!({script})"):
            if time.monotonic() > end:
                page = self.evaluate("document.body.innerText.slice(0, 4000)")
                raise TimeoutError(f"never true: {script}\n{page}\n{self.messages}")
            time.sleep(0.05)

    def click(self, selector):
        """With the pointer, where the element can be seen and has come to rest: what lies over it gets the click."""
        self.wait(f"document.querySelector({json.dumps(selector)})")
        place = self.evaluate(REST % json.dumps(selector))
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], clickCount=0 if kind == "mouseMoved" else 1,
                      button="none" if kind == "mouseMoved" else "left")

    def move(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key):
        code, text = KEYS.get(key) or (ord(key.upper()), key)
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def seen(self):
        """All requests, and all errors and warnings."""
        violations = self.evaluate("window.violations || []")
        return {"requests": list(collections.Counter(self.requests)), "messages": self.messages + violations}

    def end(self):
        self.process.kill()
        self.process.wait()


def main(program, folder):
    browser = Browser(program, folder)
    try:
        browser.attach()
        print("ready", flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            number, verb = command.pop("id"), command.pop("do")
            try:
                answer = {"value": getattr(browser, verb)(**command)}
            except Exception as error:  # Whatever it is, the test has to hear of it.
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps({"id": number, **answer}), flush=True)
    finally:
        browser.end()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
