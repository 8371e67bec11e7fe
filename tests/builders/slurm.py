"""A real Slurm of one node on this machine, for as long as a test takes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

#: Where every command of Slurm looks, also inside a job; SLURM_CONF does not reach there.
CONFIG = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")

_CONFIG = """\
ClusterName=adnorm
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={controller}
SlurmdPort={node}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
KillWait=2
ReturnToService=2
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Say why no Slurm can be started here; empty where one can."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=_path())]
    if missing:
        return f"Slurm is not installed ({', '.join(missing)})"
    try:
        import snakemake_executor_plugin_slurm  # noqa: F401
    except ImportError:
        return "Snakemake's executor for Slurm is not installed (make slurm)"
    if os.geteuid() != 0:
        return "only root can start the daemons of Slurm"
    if CONFIG.exists():
        return f"this machine has a Slurm of its own ({CONFIG})"
    return ""


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class Slurm:
    """A cluster of one node whose daemons keep everything in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        folder = self.folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            ports = first.getsockname()[1], second.getsockname()[1]
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        CONFIG.parent.mkdir(exist_ok=True)
        CONFIG.write_text(
            _CONFIG.format(
                folder=folder,
                controller=ports[0],
                node=ports[1],
                cpus=os.cpu_count(),
                memory=int(0.8 * pages / 2**20),
            )
        )
        places = {
            "socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.log",
            "seed-file": "munge.seed", "key-file": "munge.key",
        }  # fmt: skip
        options = [f"--{name}={folder / file}" for name, file in places.items()]
        self._daemon("munged", "--foreground", "--force", *options)
        self._until(lambda: (folder / "munge.socket").exists())
        self.start_controller()
        self._daemon("slurmd", "-D", "-N", "localhost")
        self._until(lambda: "idle" in self.ask("sinfo", "--noheader", "--format=%T"))

    def start_controller(self) -> None:
        self._daemon("slurmctld", "-D")
        self._until(lambda: "UP" in self.ask("scontrol", "ping"))

    def stop_controller(self) -> None:
        self._end("slurmctld")

    def stop(self) -> None:
        """End everything that was started, jobs too."""
        for job in self.jobs():
            self.ask("scancel", job)
        with suppress(TimeoutError):
            self._until(lambda: not self.jobs(), seconds=10)
        for name in reversed(list(self.daemons)):
            self._end(name)
        CONFIG.unlink(missing_ok=True)

    def jobs(self, states: str = "PENDING,RUNNING") -> list[str]:
        """Numbers of the jobs in these states, oldest first."""
        listed = self.ask("squeue", "--noheader", "--format=%i", f"--states={states}", "--sort=i")
        return listed.split()

    def running_job(self) -> str:
        """Wait until a job runs: its number."""
        self._until(lambda: self.jobs("RUNNING"))
        return self.jobs("RUNNING")[0]

    def ask(self, *command: str) -> str:
        """Call a command of Slurm: what it prints, also where it fails."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout + done.stderr

    def _daemon(self, name: str, *options: str) -> None:
        program = shutil.which(name, path=_path())
        assert program is not None
        with (self.folder / f"{name}.out").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                [program, *options], stdout=log, stderr=log, start_new_session=True
            )

    def _end(self, name: str) -> None:
        daemon = self.daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    @staticmethod
    def _until(holds, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError("Slurm does not answer as expected")
            time.sleep(0.3)


class Run:
    """A call of Snakemake that goes on while a test looks at it."""

    def __init__(self, folder: Path, repository: Path, *arguments: str) -> None:
        self.log = folder / "run.log"
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
        command += ["--profile", str(repository / "profiles" / "slurm")]
        command += ["--workflow-profile", str(repository / "profiles" / "default")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until(self, words: str, times: int = 1, seconds: float = 240) -> None:
        """Wait until the run has said something so many times."""
        end = time.monotonic() + seconds
        while self.text.count(words) < times:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the run did not say {words!r}:\n{self.text}")
            time.sleep(0.2)

    def end(self, seconds: float = 1500) -> int:
        """Wait for the end: the exit code."""
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()
