"""The phases of the soak: each puts one load on the same Tapline, and reports each result with its bound."""

import collections
import os
import pathlib
import shutil
import time

import samples
from machine import Failed
from recordings import check
from relay import Disturber

MIB = 1 << 20


class Row:
    """One thing that was measured, and whether it is as it must be."""

    def __init__(self, phase, what, value, bound, is_good):
        self.phase, self.what, self.value, self.bound, self.is_good = phase, what, value, bound, is_good


class Soak:
    """What the phases share."""

    def __init__(self, tapline, generator, holder, churn, contents, sampler, sizes, binary, say):
        self.tapline, self.generator, self.holder, self.churn_load = tapline, generator, holder, churn
        self.contents, self.sampler, self.sizes, self.binary, self.say = contents, sampler, sizes, binary, say
        self.pid = tapline.pid
        self.rows = []
        self.pipe_ends = samples.descriptors(self.pid)["pipes"]  # before anything spliced
        self.first = 0  # the number of the next flow
        self.reloads = 0

    # What rows are made of

    def row(self, phase, what, value, bound, is_good):
        self.rows.append(Row(phase, what, value, bound, is_good))
        self.say(f"  {'ok ' if is_good else 'NOT'} {what}: {value} ({bound})")

    def sockets(self):
        """The number of open connections, without one for a metrics request in progress."""
        counts = []
        for _ in range(8):
            counts.append(samples.descriptors(self.pid)["sockets"])
            time.sleep(0.03)
        return min(counts)

    def settle(self, sockets, what, patience=60):
        """Waits until this many sockets are open, and no connection; returns the number of sockets."""
        deadline = time.monotonic() + patience
        while self.tapline.total("tapline_connections_open") or (now := self.sockets()) != sockets:
            if time.monotonic() > deadline:
                now = self.sockets()
                self.say(f"  {what}: {now} sockets are open, {sockets} were")
                break
            time.sleep(0.1)
        return now

    def back_to_start(self, phase, sockets):
        now = self.settle(sockets, phase)
        self.row(phase, "sockets afterwards", now, f"{sockets} as before", now == sockets)

    def idle_share(self, seconds=5):
        """The share of a core that it uses while nothing moves and there are no requests, in percent."""
        # A last sample with the metrics, and one without that may be under way.
        time.sleep(2 * self.sampler.period)
        self.sampler.is_quiet = True
        time.sleep(self.sampler.period)
        began, used = time.monotonic(), samples.cpu_seconds(self.pid)
        # Not a wait for something to happen: the window of a measurement.
        time.sleep(seconds)
        share = (samples.cpu_seconds(self.pid) - used) / (time.monotonic() - began) * 100
        self.sampler.is_quiet = False
        return share

    # Phases

    def warm_up(self):
        """One-time allocations happen here: flows of every kind, recorders, the threads that serve the admin API."""
        name = next(slot["relay"] for slot in self.generator.slots if slot["lane"] == "tapped")
        for method in ("POST", "DELETE"):
            self.tapline.ask(method, f"/v1/relays/{name}/recording")
        self.play(300, pause=0.2)

    def held(self):
        """Idle connections."""
        count, sockets = self.sizes["held"], self.sockets()
        self.holder.open(100)
        memory = samples.private_bytes(self.pid)
        self.holder.open(count)
        growth = (samples.private_bytes(self.pid) - memory) / count / 1024
        now = self.sockets()
        self.row("held", f"sockets with {count + 100:,} connections", f"{now:,}", f"{sockets + 2 * (count + 100):,}",
                 now == sockets + 2 * (count + 100))
        self.row("held", "private memory a connection", f"{growth:.2f} KiB", "at most 1.1 KiB", growth <= 1.1)
        share = self.idle_share()
        self.row("held", f"CPU with {count:,} idle connections", f"{share:.2f} % of a core", "under 2 %", share < 2)
        wrong = self.holder.close()
        self.row("held", "connections that still carried a message each way", f"{count + 100 - wrong:,}",
                 f"{count + 100:,}", wrong == 0)
        self.back_to_start("held", sockets)

    def splicing(self):
        """Connections that each carry a stream."""
        count, sockets = self.sizes["splicing"], self.sockets()
        self.holder.open(count)
        before = self.tapline.metrics()
        self.holder.begin_streams(16384, 500)
        most_pipes, deadline = 0, time.monotonic() + self.sizes["splicing_seconds"]
        while time.monotonic() < deadline:
            most_pipes = max(most_pipes, samples.descriptors(self.pid)["pipes"])
            time.sleep(0.2)
        pipes = (most_pipes - self.pipe_ends) // 2
        total, wrong = self.holder.rest()
        after = self.tapline.metrics()
        spliced = (self.tapline.total("tapline_spliced_bytes_total", after)
                   - self.tapline.total("tapline_spliced_bytes_total", before))
        self.row("splicing", f"bytes of {count:,} streams that were wrong", wrong, f"none of {total:,}", wrong == 0)
        # All pipes together hold 48 MiB (Sources/Relay/Flow/PipePool.swift): 24 large and 384 small ones; the rest is
        # copied. An ordinary user may get fewer.
        least = min(count, 350) if os.geteuid() == 0 else 1
        self.row("splicing", "flows that spliced at once",
                 f"{pipes:,}, {spliced:,.0f} bytes ({spliced / total:.0%})", f"at least {least}",
                 pipes >= least and spliced > 0)
        time.sleep(3)  # a flow that rests gives its pipe back after a second, at the next look
        share = self.idle_share()
        self.row("splicing", "CPU once they rest", f"{share:.2f} % of a core", "under 2 %", share < 2)
        wrong = self.holder.close()
        self.row("splicing", "connections that still carried a message each way", f"{count - wrong:,}", f"{count:,}",
                 wrong == 0)
        self.back_to_start("splicing", sockets)

    def churn(self):
        """One connection after the other."""
        count, sockets = self.sizes["churn"], self.sockets()
        done, failures, memory, began = 0, 0, None, time.monotonic()
        while done < count:
            result = self.churn_load.run(self.tapline.addresses["churn"], 5)
            done += result["total"]
            failures += result["failures"]
            if failures:
                self.say(f"  churn: {result['first_failure']}")
                break
            if memory is None:
                # The first round is the warm-up.
                self.settle(sockets, "churn")
                memory = samples.private_bytes(self.pid)
            if time.monotonic() - began > 1200:
                raise Failed(f"churn: {done:,} of {count:,} connections in twenty minutes")
        seconds = time.monotonic() - began
        self.row("churn", "connections, every byte compared", f"{done:,} ({done / seconds:,.0f}/s)",
                 f"at least {count:,}", done >= count)
        self.row("churn", "of them failed", failures, "none", failures == 0)
        self.back_to_start("churn", sockets)
        growth = (samples.private_bytes(self.pid) - memory) / MIB
        self.row("churn", "private memory grown meanwhile", f"{growth:.2f} MiB", "at most 2 MiB", growth <= 2)

    def chaos(self):
        """Flows by chance, recorded and not, during reloads."""
        count, sockets = self.sizes["chaos"], self.sockets()
        troubles, played, recorded, compared, byte_count, began = [], 0, 0, 0, 0, time.monotonic()
        memory, at_once = [], max(10, min(10_000, count // 8))
        while played < count:
            result, wrong, connections, held = self.play(min(at_once, count - played), pause=0.1)
            self.settle(sockets, "chaos")
            memory.append(samples.private_bytes(self.pid))
            played += result["done"]
            byte_count += result["up"] + result["down"]
            recorded, compared = recorded + connections, compared + held
            troubles += wrong
            if len(troubles) > 100:
                break
        seconds = time.monotonic() - began
        for trouble in troubles[:20]:
            self.say(f"  {trouble}")
        self.row("chaos", "flows whose bytes, ends and records were right",
                 f"{played - len(troubles):,}, {byte_count:,} bytes, in {seconds:.0f} s", f"{count:,}",
                 played >= count and not troubles)
        self.row("chaos", "recorded connections compared", f"{recorded:,}, {compared:,} bytes", "more than none",
                 recorded > 0)
        # What the busiest moment took stays with the allocator, which has an arena for each of some threads; it must
        # not grow on.
        growth = (memory[-1] - memory[len(memory) // 2]) / MIB
        self.row("chaos", "private memory grown in the second half", f"{growth:.2f} MiB", "at most 8 MiB", growth <= 8)
        self.back_to_start("chaos", sockets)

    def play(self, count, pause, reloads=None):
        """Plays flows with changes meanwhile, and compares what was recorded. A pause of 0 changes without one."""
        disturber = Disturber(self.tapline, self.generator.seed + self.first, pause, most=reloads)
        self.generator.begin("play", self.first, count)
        disturber.start()
        if reloads is not None:
            if not disturber.is_done.wait(900):
                raise Failed(f"{disturber.reloads + disturber.refused} of {reloads} reloads in fifteen minutes")
            self.generator.begin("stop")
        result = self.generator.result(max(300, count / 50))
        self.first += count
        disturber.stop()
        self.reloads += disturber.reloads + disturber.refused
        troubles = list(disturber.failures)
        taken, self.generator.troubles = self.generator.troubles, []
        for fact in taken:
            again = f"\n    again: {self.generator.command(fact['flow'])}" if "flow" in fact else ""
            troubles.append(str(fact) + again)
        # From now on to another folder: the one of these flows is compared and removed.
        relays = self.tapline.relays
        for slot in self.generator.slots:
            if slot["lane"] == "tapped":
                self.tapline.ask("DELETE", f"/v1/relays/{slot['relay']}/recording")
        old, relays.recordings = relays.recordings, f"recordings/{self.first}"
        relays.write(relays.text())
        status, answer = self.tapline.ask("POST", "/v1/reload")
        if status != 200:
            troubles.append(f"reload: {status}: {answer[:300]}")
        folders = {relays.folder / old, relays.folder / "recordings"}
        wrong, connections, held, _ = check(self.binary, self.contents, folders, self.generator.take_recorded(), 4)
        for folder in folders:
            for path in pathlib.Path(folder).glob("*.pcapng"):
                path.unlink()
            if folder.name != "recordings":
                shutil.rmtree(folder, ignore_errors=True)
        return result, troubles + wrong, connections, held

    def reload(self):
        """Reloads, one after the other, while flows pass."""
        count, sockets = self.sizes["reloads"], self.sockets()
        began = time.monotonic()
        before, first = self.tapline.metrics(), self.reloads
        result, troubles, _, _ = self.play(10_000_000, pause=0, reloads=count)
        seconds = time.monotonic() - began
        after = self.tapline.metrics()
        for trouble in troubles[:20]:
            self.say(f"  {trouble}")
        name = "tapline_config_reloads_total"
        counted = self.tapline.total(name, after) - self.tapline.total(name, before)
        self.row("reloads", "reloads, good ones and refused ones",
                 f"{self.reloads - first:,} ({counted:,.0f} by the metrics), {(self.reloads - first) / seconds:.0f}/s",
                 f"at least {count:,}", self.reloads - first >= count)
        self.row("reloads", "failures, of them and of the flows meanwhile",
                 f"{len(troubles)} of {result['done']:,} flows", "none", not troubles)
        self.back_to_start("reloads", sockets)

    def volume(self):
        """One flow that carries much."""
        size, sockets = self.sizes["volume"], self.sockets()
        began = time.monotonic()
        self.generator.begin("volume", 0, size)
        result = self.generator.result(3600)
        seconds = time.monotonic() - began
        for trouble in self.generator.troubles:
            self.say(f"  {trouble}")
        is_good = result["down"] == size and not result["troubles"]
        self.generator.troubles = []
        self.row("volume", "bytes on one flow, every one compared",
                 f"{result['down']:,} ({result['down'] * 8 / seconds / 1e9:.1f} Gbit/s)", f"{size:,}", is_good)
        self.back_to_start("volume", sockets)

    def end(self, start):
        """Everything is as it was after the warm-up."""
        time.sleep(3)
        self.sampler.is_quiet = True
        self.settle(start["sockets"], "end")
        now = samples.descriptors(self.pid)
        for kind in ("sockets", "files", "others"):
            self.row("end", f"descriptors: {kind}", now[kind], f"{start[kind]} as after the warm-up",
                     now[kind] == start[kind])
        # A worker keeps up to 16 empty pipes.
        bound = self.pipe_ends + 2 * 16 * len(os.sched_getaffinity(0))
        self.row("end", "descriptors: pipe ends", now["pipes"], f"at most {bound}", now["pipes"] <= bound)
        # The system's library starts and ends threads of its own as it sees fit.
        threads, before = (collections.Counter({name: count for name, count in names.items() if "qos" not in name})
                           for names in (samples.thread_names(self.pid), start["threads"]))
        more, fewer = threads - before, before - threads
        changed = ", ".join([f"{count} more of {name}" for name, count in more.items()]
                            + [f"{count} fewer of {name}" for name, count in fewer.items()])
        self.row("end", "threads", f"{threads.total()}{': ' if changed else ''}{changed}",
                 f"{before.total()} as after the warm-up", not changed)
        growth = (samples.private_bytes(self.pid) - start["private"]) / MIB
        self.row("end", "private memory grown since the warm-up", f"{growth:.2f} MiB", "at most 64 MiB", growth <= 64)
        open_now = self.tapline.total("tapline_connections_open")
        self.row("end", "open connections", f"{open_now:.0f}", "none", open_now == 0)
