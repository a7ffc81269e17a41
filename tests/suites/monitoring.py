"""The scripted outage of tests/suites/monitoring.sh: sys.argv names the binary and the folder of what is shipped."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

STUDYGATE, SHIPPED = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
# Longer than any step takes on a slow machine.
PATIENCE_S = 60
RECIPIENT = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"
MARK_OF_TIMESYNCD = "/run/systemd/timesync/synchronized"
LEAVING = ["made-up-leaver-%d" % number for number in range(4)]


def fail(text):
    sys.exit("monitoring: " + text)


def wait(what, holds):
    """Waits until something holds; returns it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > end:
            fail("waited in vain: " + what)
        time.sleep(0.1)


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Site:
    """A gateway with its configuration; its clock is right or not, as the test says."""

    def __init__(self, folder):
        self.dir = os.path.join(folder, "site")
        self.config = os.path.join(self.dir, "studygate.toml")
        self.log = os.path.join(folder, "log")
        self.process = None
        self.told = os.path.join(folder, "synchronised")
        programs = os.path.join(folder, "bin")
        os.mkdir(programs)
        asked = os.path.join(programs, "timedatectl")
        with open(asked, "w") as file:
            file.write('#!/bin/sh\ncat "%s"\n' % self.told)
        os.chmod(asked, 0o755)
        self.environment = dict(os.environ, PATH=programs + ":" + os.environ["PATH"])
        subprocess.run([STUDYGATE, "init", self.dir], check=True, capture_output=True)
        ingress, api, self.metrics = free_ports(3)
        backups = os.path.join(folder, "backups")
        os.mkdir(backups)
        text = self.read()
        for before, after in ((8443, ingress), (8444, api), (9464, self.metrics)):
            text = text.replace("127.0.0.1:%d" % before, "127.0.0.1:%d" % after)
        more = '\n[backup]\ndir = "%s"\n[deregistration]\nflood_least = 2\n' % backups
        self.write(text + more)
        path = re.search(r"/garmin/[0-9a-f]*", text).group()
        self.url = "https://127.0.0.1:%d%s" % (ingress, path)

    def read(self):
        with open(self.config) as file:
            return file.read()

    def write(self, text):
        with open(self.config, "w") as file:
            file.write(text)

    def start(self, synchronised):
        with open(self.told, "w") as file:
            file.write("yes\n" if synchronised else "no\n")
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [STUDYGATE, "serve", "--config", self.config], stdout=log, stderr=log, env=self.environment
            )
        wait("the gateway answers", self.is_alive)

    def is_alive(self):
        if self.process.poll() is not None:
            with open(self.log) as log:
                fail("the gateway ended:\n" + log.read())
        try:
            return fetch("http://127.0.0.1:%d/livez" % self.metrics) == "ok\n"
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE_S)
            self.process = None

    def run(self, *arguments):
        done = subprocess.run(
            [STUDYGATE, "--config", self.config, *arguments], capture_output=True, text=True, env=self.environment
        )
        if done.returncode != 0:
            fail("studygate %s: %s" % (" ".join(arguments), done.stderr))
        return done.stdout

    def listed(self, *arguments):
        answer = json.loads(self.run(*arguments, "--json"))
        return next(value for value in answer.values() if isinstance(value, list))

    def post(self, body):
        trust = ssl.create_default_context(cafile=os.path.join(self.dir, "tls", "certificate.pem"))
        trust.check_hostname = False
        request = urllib.request.Request(
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
            if answer.status != 200:
                fail("a notification was answered %d" % answer.status)

    def simulate(self):
        certificate = os.path.join(self.dir, "tls", "certificate.pem")
        subprocess.run(
            [STUDYGATE, "simulate", "--to", self.url, "--ca", certificate, "--users", "3", "--days", "2"],
            check=True,
            capture_output=True,
        )


class Demo:
    """`demo --stay`, and where its metrics are."""

    def __init__(self):
        self.process = subprocess.Popen(
            [STUDYGATE, "demo", "--stay"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.metrics = None
        for line in self.process.stderr:
            found = re.search(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", line)
            if found:
                self.metrics = int(found.group(1))
                break
        if not self.metrics:
            fail("the demo ended before it stayed")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(PATIENCE_S) != 0:
            fail("the demo ended with %d" % self.process.returncode)


class Prometheus:
    """Prometheus, looking every second at the rules as they are shipped, but that nothing has to last for long."""

    def __init__(self, folder, targets):
        text, lasting = re.subn(r"(?m)^( +)for: \S+$", r"\1for: 2s", rules())
        if lasting < 5:
            fail("the rules are not as expected")
        shortened = os.path.join(folder, "alerts.yml")
        with open(shortened, "w") as file:
            file.write(text)
        config = os.path.join(folder, "prometheus.yml")
        # The job is the shipped one.
        with open(os.path.join(SHIPPED, "scrape.yml")) as file:
            shipped = file.read()
        shipped = shipped.replace("/usr/share/studygate/monitoring/alerts.yml", shortened)
        shipped = shipped.replace("scrape_interval: 30s", "scrape_interval: 1s", 1)
        shipped = shipped.replace('["127.0.0.1:9464"]', json.dumps(targets), 1)
        with open(config, "w") as file:
            file.write("global: {evaluation_interval: 1s}\n" + shipped)
        subprocess.run(["promtool", "check", "config", config], check=True, stdout=subprocess.DEVNULL)
        (port,) = free_ports(1)
        self.url = "http://127.0.0.1:%d/api/v1/" % port
        self.log = open(os.path.join(folder, "prometheus.log"), "w")
        self.process = subprocess.Popen(
            [
                "prometheus",
                "--config.file=" + config,
                "--storage.tsdb.path=" + os.path.join(folder, "tsdb"),
                "--web.listen-address=127.0.0.1:%d" % port,
            ],
            stdout=self.log,
            stderr=self.log,
        )
        wait("Prometheus answers", self.answers)

    def answers(self):
        try:
            return self.ask("alerts") is not None
        except OSError:
            return False

    def ask(self, path):
        return json.loads(fetch(self.url + path))["data"]

    def firing(self, target):
        alerts = self.ask("alerts")["alerts"]
        firing = (alert["labels"] for alert in alerts if alert["state"] == "firing")
        return {labels["alertname"][len("Studygate") :] for labels in firing if labels["instance"] == target}

    def fires(self, target, *names):
        wait("%s fire" % (names,), lambda: set(names) <= self.firing(target))
        print("monitoring: fired: " + ", ".join(names), flush=True)

    def clears(self, target, *names):
        wait("%s clear" % (names,), lambda: not set(names) & self.firing(target))
        print("monitoring: cleared: " + ", ".join(names), flush=True)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def check_metrics(port):
    text = fetch("http://127.0.0.1:%d/metrics" % port)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    if checked.returncode != 0 or checked.stdout or checked.stderr:
        fail("promtool check metrics: " + checked.stdout + checked.stderr)


def check_dashboard(folder):
    """promtool reads the dashboard's queries as rules."""
    with open(os.path.join(SHIPPED, "grafana.json")) as file:
        panels = json.load(file)["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    generated = os.path.join(folder, "dashboard.yml")
    records = [{"record": "dashboard:%d" % number, "expr": query} for number, query in enumerate(queries)]
    with open(generated, "w") as file:
        json.dump({"groups": [{"name": "dashboard", "rules": records}]}, file)
    subprocess.run(["promtool", "check", "rules", generated], check=True, stdout=subprocess.DEVNULL)


def check_scrape_over_tls(folder):
    """The job for another machine, which stands in the shipped file as a comment."""
    with open(os.path.join(SHIPPED, "scrape.yml")) as file:
        job = [line[1:] for line in file if line.startswith("#  ")]
    text = "scrape_configs:\n" + "".join(job)
    for named in re.findall(r"_file: (\S+)", text):
        here = os.path.join(folder, os.path.basename(named))
        with open(here, "w") as file:
            file.write(RECIPIENT)
        text = text.replace(named, here)
    config = os.path.join(folder, "over-tls.yml")
    with open(config, "w") as file:
        file.write(text)
    if "https" not in text:
        fail("scrape.yml has no job over TLS")
    subprocess.run(["promtool", "check", "config", "--syntax-only", config], check=True, stdout=subprocess.DEVNULL)


def enrol(site):
    site.run("study", "add", "WATCHED", "--recipient", RECIPIENT)
    for number, user in enumerate(LEAVING):
        site.run("participant", "add", "--study", "WATCHED", "--code", "L%d" % number, "--garmin-user", user)
    site.post({"dailies": [{"userId": user, "summaryId": "s-" + user} for user in LEAVING]})


def people(site, prometheus, target):
    """What waits for a person, and the person."""
    site.simulate()
    prometheus.fires(target, "Unassigned")
    for held in site.listed("unassigned", "list"):
        site.run("participant", "add", "--study", "WATCHED", "--unassigned", held["handle"])
    prometheus.clears(target, "Unassigned")

    site.post({"dailies": [17]})
    prometheus.fires(target, "Quarantine")
    for item in site.listed("quarantine", "list"):
        site.run("quarantine", "drop", item["id"], "--yes", "--reason", "a test")
    prometheus.clears(target, "Quarantine")

    site.post({"deregistrations": [{"userId": user} for user in LEAVING]})
    prometheus.fires(target, "PurgeAwaitsPerson")
    for purge in site.listed("purges", "list"):
        site.run("purges", "reject", purge["id"], "--yes", "--reason", "a test")
    prometheus.clears(target, "PurgeAwaitsPerson")


def outage(site, prometheus, target):
    """The gateway is gone, comes back with a full disk and a clock that nothing keeps right, and is well again."""
    alerts = {"Down", "NotReady", "DiskLow", "ClockOff"}
    prometheus.clears(target, *sorted(alerts))
    site.stop()
    prometheus.fires(target, "Down")
    good = site.read()
    if good.count("[storage]"):
        fail("the trial site's configuration is not as expected")
    site.write(good + '\n[storage]\ndisk_reserve = "1000000GiB"\n')
    site.start(synchronised=False)
    prometheus.clears(target, "Down")
    expected = ["NotReady", "DiskLow"]
    if os.path.exists(MARK_OF_TIMESYNCD):
        print("monitoring: NOTE: systemd-timesyncd keeps this machine's clock, so ClockOff cannot be had", flush=True)
    else:
        expected.append("ClockOff")
    prometheus.fires(target, *expected)
    site.stop()
    site.write(good)
    site.start(synchronised=True)
    prometheus.clears(target, "Down", *expected)


def main():
    with tempfile.TemporaryDirectory(prefix="monitoring") as folder:
        check_dashboard(folder)
        check_scrape_over_tls(folder)
        running = []
        try:
            site = Site(folder)
            running.append(site)
            site.start(synchronised=True)
            enrol(site)
            demo = Demo()
            running.append(demo)
            check_metrics(site.metrics)
            check_metrics(demo.metrics)
            target, shown = ("127.0.0.1:%d" % port for port in (site.metrics, demo.metrics))
            prometheus = Prometheus(folder, [target, shown])
            running.append(prometheus)
            wait("both are scraped", lambda: all(up(prometheus, one) for one in (target, shown)))
            people(site, prometheus, target)
            outage(site, prometheus, target)
            # Nobody wears the watches of a test: those two may fire.
            alerts = set(re.findall(r"- alert: Studygate(\w+)", rules())) - {"NoData", "ParticipantsSilent"}
            prometheus.clears(target, *sorted(alerts))
            for name in sorted(prometheus.firing(shown)):
                print("monitoring: of the demo there fires %s" % name)
            prometheus.clears(shown, "Down", "NotReady")
            running.remove(demo)
            demo.stop()
            prometheus.fires(shown, "Down")
        finally:
            for one in reversed(running):
                one.stop()


def rules():
    with open(os.path.join(SHIPPED, "alerts.yml")) as file:
        return file.read()


def up(prometheus, target):
    found = prometheus.ask("query?query=" + urllib.parse.quote('up{instance="%s"} == 1' % target))
    return bool(found["result"])


main()
