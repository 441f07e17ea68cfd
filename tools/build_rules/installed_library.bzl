"""installed_library: a library with its headers, pkg-config and CMake files, as a tar to be unpacked below a prefix."""

def _is_ours(file):
    return file.owner.workspace_name == ""

def _installed_library_impl(ctx):
    name = ctx.attr.library
    headers = {}
    objects = {}
    for dep in ctx.attr.deps:
        for header in dep[CcInfo].compilation_context.headers.to_list():
            if _is_ours(header):
                headers[header.short_path] = header
        for linker_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            for library in linker_input.libraries:
                for object in (library.pic_objects or library.objects or []):
                    if _is_ours(object):
                        objects[object.path] = object

    archive = ctx.actions.declare_file("lib" + name + ".a")
    arguments = ctx.actions.args()
    arguments.add("rcsD")
    arguments.add(archive)
    arguments.add_all(objects.values())
    ctx.actions.run(
        executable = ctx.executable._ar,
        arguments = [arguments],
        inputs = objects.values(),
        outputs = [archive],
        mnemonic = "Archive",
        progress_message = "Archiving %{label}",
    )

    # Lines of FROM, space, TO.
    manifest = ctx.actions.declare_file(ctx.label.name + ".manifest")
    lines = [archive.path + " lib/" + archive.basename]
    for short_path, header in sorted(headers.items()):
        lines.append(header.path + " include/historian/" + short_path)
    for target, where in ctx.attr.files.items():
        lines.append(target.files.to_list()[0].path + " " + where)
    ctx.actions.write(manifest, "\n".join(lines) + "\n")
    files = [file for target in ctx.attr.files for file in target.files.to_list()]
    tar = ctx.actions.declare_file(ctx.label.name + ".tar")
    ctx.actions.run_shell(
        inputs = [archive, manifest, ctx.file.version_header] + headers.values() + files,
        outputs = [tar],
        arguments = [manifest.path, tar.path, ctx.file.version_header.path],
        command = """set -eu
version="$(sed -n 's/.*kVersion\\[\\] = "\\([^"]*\\)".*/\\1/p' "$3")"
test -n "$version"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
while read -r from to; do
  mkdir -p "$root/$(dirname "$to")"
  case "$to" in
    *.in) sed "s/@VERSION@/$version/g" "$from" >"$root/${to%.in}" ;;
    *) cp "$from" "$root/$to" ;;
  esac
done <"$1"
find "$root" -type f -exec chmod 0644 {} + -o -type d -exec chmod 0755 {} +
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$root" -cf "$2" .
""",
        mnemonic = "Install",
        progress_message = "Collecting %{label}",
    )
    return [DefaultInfo(files = depset([tar]), runfiles = ctx.runfiles([tar]))]

installed_library = rule(
    implementation = _installed_library_impl,
    doc = "Headers keep their paths from the workspace's root, below include/historian. What is not of this workspace is left out.",
    attrs = {
        "library": attr.string(mandatory = True, doc = "lib<library>.a"),
        "version_header": attr.label(
            default = "//storage/model:version.h",
            allow_single_file = True,
            doc = "Has kVersion, which takes the place of @VERSION@ in files that end with .in; they lose that end.",
        ),
        "deps": attr.label_list(providers = [CcInfo]),
        "files": attr.label_keyed_string_dict(allow_files = True, doc = "Others, and where they go below the prefix."),
        "_ar": attr.label(default = "@system//:ar", executable = True, cfg = "host", allow_single_file = True),
    },
)
