"""Checks the app's resources and manifest; writes the class R of them, for the type-check.

    python android_demo/ci/resources.py

Names that are used but not there are an error. With Debian's `aapt2` the resources are linked too,
as the Android build does, with those of Android 14, which the type-check fetches, or with Debian's
package `android-framework-res`.
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


def numbered(found: dict[str, set[str]]) -> dict[tuple[str, str], int]:
    """The number of each resource, by kind and name: in order, as `aapt2` gives them."""
    return {
        (kind, name): 0x7F010000 + 0x10000 * group + index
        for group, (kind, members) in enumerate(found.items())
        for index, name in enumerate(sorted(members))
    }


def write(found: dict[str, set[str]], folder: Path) -> None:
    """R.kt: the numbers as constants."""
    numbers = numbered(found)
    lines = ["package hrnet.demo", "", "object R {"]
    for kind, members in found.items():
        lines.append(f"    object {kind} {{")
        for name in sorted(members):
            lines.append(f"        const val {name} = {numbers[kind, name]:#x}")
        lines.append("    }")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "R.kt").write_text("\n".join([*lines, "}"]) + "\n", encoding="utf-8")


def framework() -> Path | None:
    """A file with the resources of Android 14, which the type-check fetches, or of 10, if any."""
    jars = Path.home().glob(".m2/repository/org/robolectric/android-all/14-*/*.jar")
    return next((path for path in (*jars, FRAMEWORK) if path.is_file()), None)


def link(resources: Path, output: Path) -> None:
    """Links manifest and resources to a package without code; they keep the numbers of R.kt.

    Raises:
        RuntimeError: aapt2 says why not.
    """
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        manifest = (APP / "AndroidManifest.xml").read_text(encoding="utf-8")
        # This aapt2 is of Android 10: it wants the package here, and does not know one element.
        manifest = manifest.replace("<manifest ", '<manifest package="hrnet.demo" ', 1)
        manifest = re.sub(r"<uses-native-library[^>]*/>", "", manifest)
        (folder / "AndroidManifest.xml").write_text(manifest, encoding="utf-8")
        numbers = numbered(names()).items()
        ids = [f"hrnet.demo:{kind}/{name} = {number:#x}\n" for (kind, name), number in numbers]
        (folder / "ids.txt").write_text("".join(ids), encoding="utf-8")
        run("aapt2", "compile", "--dir", APP / "res", "-o", folder / "res.zip")
        versions = ("--min-sdk-version", "26", "--target-sdk-version", "36")
        versions += ("--version-code", "1", "--version-name", "1")
        files = ("--manifest", folder / "AndroidManifest.xml", "--stable-ids", folder / "ids.txt")
        run("aapt2", "link", "-I", resources, *versions, *files, "-o", output, folder / "res.zip")


def run(*command: object) -> str:
    """What a program prints; raises RuntimeError with what it says if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise RuntimeError(f"{Path(str(command[0])).name} says {said}")
    return done.stdout


def main() -> int:
    found = names()
    if gone := missing(found):
        print(f"resources: no such names: {', '.join(gone)}", file=sys.stderr)
        return 1
    write(found, CI / "app/target/generated")
    resources = framework()
    if shutil.which("aapt2") is None or resources is None:
        print("resources: not linked, `apt install aapt android-framework-res` is missing")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        try:
            link(resources, Path(folder) / "app.apk")
        except RuntimeError as error:
            print(f"resources: {error}", file=sys.stderr)
            return 1
    print(f"resources: linked by aapt2 with those of {resources.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
