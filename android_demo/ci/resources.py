"""Checks the app's resources and manifest; writes the class R of them, for the type-check.

    python android_demo/ci/resources.py

Names that are used but not there are an error. With Debian's `aapt2` and its package
`android-framework-res`, the resources are linked too, as the Android build does.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

CI = Path(__file__).parent
APP = CI.parent / "app/src/main"
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")


def names() -> dict[str, set[str]]:
    """Names of the resources by kind."""
    found = {"string": set(), "id": set(), "drawable": set(), "layout": set(), "menu": set()}
    for path in sorted((APP / "res").rglob("*.*")):
        kind = path.parent.name.split("-")[0]
        if kind == "values":
            found["string"] |= {each.get("name") for each in ElementTree.parse(path).iter("string")}
        else:
            found[kind].add(path.stem)
        if path.suffix == ".xml":
            found["id"] |= set(re.findall(r'"@\+id/(\w+)"', path.read_text(encoding="utf-8")))
    return found


def missing(found: dict[str, set[str]]) -> list[str]:
    """Names in XML that no resource has."""
    texts = [*(APP / "res").rglob("*.xml"), APP / "AndroidManifest.xml"]
    used = {
        (kind, name)
        for path in texts
        for kind, name in re.findall(r'"@(\w+)/(\w+)"', path.read_text(encoding="utf-8"))
    }
    return sorted(f"{kind}/{name}" for kind, name in used if name not in found.get(kind, ()))


def write(found: dict[str, set[str]], folder: Path) -> None:
    """R.kt: numbers that differ."""
    lines, number = ["package hrnet.demo", "", "object R {"], 0
    for kind, members in found.items():
        lines.append(f"    object {kind} {{")
        for name in sorted(members):
            number += 1
            lines.append(f"        const val {name} = {number}")
        lines.append("    }")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "R.kt").write_text("\n".join([*lines, "}"]) + "\n", encoding="utf-8")


def link() -> str | None:
    """Links the resources with aapt2; what it has to say if it fails, None if all is well."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        manifest = (APP / "AndroidManifest.xml").read_text(encoding="utf-8")
        # This aapt2 is of Android 10: it wants the package here, and does not know one element.
        manifest = manifest.replace("<manifest ", '<manifest package="hrnet.demo" ', 1)
        manifest = re.sub(r"<uses-native-library[^>]*/>", "", manifest)
        (folder / "AndroidManifest.xml").write_text(manifest, encoding="utf-8")
        compiled, linked = folder / "res.zip", folder / "app.apk"
        commands = (
            f"aapt2 compile --dir {APP / 'res'} -o {compiled}",
            f"aapt2 link -I {FRAMEWORK} --manifest {folder / 'AndroidManifest.xml'} "
            f"--min-sdk-version 26 -o {linked} {compiled}",
        )
        for command in commands:
            run = subprocess.run(command.split(), capture_output=True, text=True)
            if run.returncode:
                return run.stderr or run.stdout
    return None


def main() -> int:
    found = names()
    if gone := missing(found):
        print(f"resources: no such names: {', '.join(gone)}", file=sys.stderr)
        return 1
    write(found, CI / "app/target/generated")
    if shutil.which("aapt2") is None or not FRAMEWORK.is_file():
        print("resources: not linked, `apt install aapt android-framework-res` is missing")
        return 0
    if problem := link():
        print(f"resources: aapt2 says {problem}", file=sys.stderr)
        return 1
    print("resources: linked by aapt2")
    return 0


if __name__ == "__main__":
    sys.exit(main())
