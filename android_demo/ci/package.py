"""Packages the app as far as that goes without Google's repository, and says where it stops.

    mvn -f android_demo/ci test
    python android_demo/ci/package.py OUTPUT.apk [--assets=FOLDER]

Resources are linked by aapt2, classes become dex by D8, models and cards join them from the assets,
and the package is aligned, signed with a key that is thrown away, and verified. androidx and LiteRT
are not in it: Google's repository alone has them. So the package cannot start on a phone.
"""

import argparse
import re
import shutil
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

import resources
from resources import APP, CI, run

D8 = "com.android.tools:r8:8.13.25"
LOCAL = Path.home() / ".m2/repository"
TOOLS = ("aapt2", "aapt", "zipalign", "apksigner", "keytool", "mvn", "java")
OWN = ("core/target/classes", "app/target/classes")
STUBS = ("androidx/", "com/google/ai/")  # classes of others, in the app's folder
PASSWORD = "throw-away"
ANDROID = 26  # the oldest version
STOPPED = 2  # exit status
PAGE = 16384  # bytes of a memory page on newer phones


class StoppedError(Exception):
    """A step cannot be taken on this machine; the message says why."""


def package(output: Path, assets: Path, say=print) -> None:
    """Writes the signed package; says each step.

    Raises:
        StoppedError: a tool or file is missing.
        RuntimeError: a tool refuses what it is given.
    """
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise StoppedError(f"{', '.join(missing)}: no such program here")
    framework = resources.framework()
    if framework is None or not (CI / OWN[1] / "hrnet").is_dir():
        raise StoppedError("the app is not compiled; run `mvn -f android_demo/ci test` first")
    models = sorted(assets.glob("*.tflite"))
    if not models:
        raise StoppedError(f"{assets} has no model; to_tflite.py --android writes one")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        resources.link(framework, folder / "linked.apk")
        say("linked: manifest and resources, by aapt2")
        dex(framework, folder)
        say(f"dex: {(folder / 'classes.dex').stat().st_size / 1e6:.1f} MB of code, by D8")
        fill(folder, models)
        say(f"filled: {', '.join(path.name for path in models)}, {megabytes(models)} MB of models")
        run("zipalign", "-f", "-p", "4", folder / "linked.apk", folder / "aligned.apk")
        run("zipalign", "-c", "-p", "4", folder / "aligned.apk")
        check_pages(folder / "aligned.apk")
        say("aligned: by zipalign, which here knows 4 KB pages; no native library is in it")
        sign(folder / "aligned.apk", output, folder)
        verified = run("apksigner", "verify", "--verbose", "--min-sdk-version", ANDROID, output)
        say(f"signed: {', '.join(scheme for scheme in ('v2', 'v3') if signed(verified, scheme))}")
        say(f"wrote {output}, {output.stat().st_size / 1e6:.2f} MB; without androidx and LiteRT")


def megabytes(files: list[Path]) -> str:
    return f"{sum(path.stat().st_size for path in files) / 1e6:.2f}"


def dex(framework: Path, folder: Path) -> None:
    """Writes classes.dex of the app, core and Kotlin's library; the stubs of others stay out."""
    with (
        zipfile.ZipFile(folder / "own.jar", "w") as own,
        zipfile.ZipFile(folder / "stubs.jar", "w") as stubs,
    ):
        for root in OWN:
            for path in sorted((CI / root).rglob("*.class")):
                name = path.relative_to(CI / root).as_posix()
                (stubs if name.startswith(STUBS) else own).write(path, name)
    version = re.search(r"<kotlin.version>(.+?)<", (CI / "pom.xml").read_text())[1]
    kotlin = LOCAL / f"org/jetbrains/kotlin/kotlin-stdlib/{version}/kotlin-stdlib-{version}.jar"
    run(
        *("java", "-cp", d8(), "com.android.tools.r8.D8", "--release", "--min-api", ANDROID),
        *("--lib", framework, "--classpath", folder / "stubs.jar"),
        *("--output", folder, folder / "own.jar", kotlin),
    )


def d8() -> Path:
    """The jar of D8, fetched by Maven."""
    group, name, version = D8.split(":")
    path = LOCAL / group.replace(".", "/") / name / version / f"{name}-{version}.jar"
    if not path.is_file():
        plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get"
        try:
            run("mvn", "-B", "-q", plugin, f"-Dartifact={D8}", "-Dtransitive=false")
        except RuntimeError as error:
            raise StoppedError(f"D8 is not fetched: {str(error)[:200]}") from error
    return path


def fill(folder: Path, models: list[Path]) -> None:
    """Adds code, models and cards; models are stored as they are, so that they can be mapped."""
    with zipfile.ZipFile(folder / "linked.apk", "a") as apk:
        apk.write(folder / "classes.dex", "classes.dex", zipfile.ZIP_DEFLATED)
        for model in models:
            apk.write(model, f"assets/{model.name}", zipfile.ZIP_STORED)
            card = model.with_suffix(".json")
            apk.write(card, f"assets/{card.name}", zipfile.ZIP_DEFLATED)


def check_pages(apk: Path) -> None:
    """Native libraries that are stored must begin on a page of 16 KB; `zipalign -P 16` of newer
    build tools does it, Debian's has no -P.

    Raises:
        RuntimeError: one does not.
    """
    with zipfile.ZipFile(apk) as archive, apk.open("rb") as file:
        for info in archive.infolist():
            if info.filename.endswith(".so") and info.compress_type == zipfile.ZIP_STORED:
                file.seek(info.header_offset + 26)
                start = info.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))
                if start % PAGE:
                    raise RuntimeError(f"{info.filename} begins at {start}, on no page of 16 KB")


def sign(apk: Path, output: Path, folder: Path) -> None:
    """Signs with a new key, which ends with the folder."""
    store = ("-keystore", folder / "key.p12", "-storepass", PASSWORD, "-storetype", "PKCS12")
    kind = ("-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2", "-alias", "key")
    run("keytool", "-genkeypair", *store, *kind, "-dname", "CN=thrown away")
    key = ("--ks", folder / "key.p12", "--ks-pass", f"pass:{PASSWORD}")
    run("apksigner", "sign", *key, "--min-sdk-version", ANDROID, "--out", output, apk)


def signed(verified: str, scheme: str) -> bool:
    return any(
        line.startswith(f"Verified using {scheme} scheme") and line.endswith("true")
        for line in verified.splitlines()
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="the .apk file")
    parser.add_argument("--assets", type=Path, default=APP / "assets", help="models and cards")
    values = parser.parse_args()
    try:
        package(values.output, values.assets, lambda line: print(f"package: {line}"))
    except StoppedError as stop:
        print(f"package: stopped, {stop}", file=sys.stderr)
        return STOPPED
    except RuntimeError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
