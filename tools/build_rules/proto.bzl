"""cc_proto and cc_grpc: C++ libraries from .proto files with the system's protoc."""

def _generate(name, srcs, imports, grpc):
    outs = []
    for src in srcs:
        stem = src[:-len(".proto")]
        outs += [stem + ".pb.h", stem + ".pb.cc"]
        if grpc:
            outs += [stem + ".grpc.pb.h", stem + ".grpc.pb.cc"]
    cmd = "$(location @system//:protoc) --proto_path=proto --cpp_out=$(GENDIR)/proto"
    tools = ["@system//:protoc"]
    if grpc:
        cmd += " --plugin=protoc-gen-grpc=$(location @system//:grpc_cpp_plugin) --grpc_out=$(GENDIR)/proto"
        tools.append("@system//:grpc_cpp_plugin")
    native.genrule(
        name = name + "_generate",
        srcs = srcs + imports,
        outs = outs,
        cmd = cmd + " " + " ".join(["$(location %s)" % src for src in srcs]),
        tools = tools,
        message = "Generating " + name,
    )
    return outs

def cc_proto(name, srcs, imports = [], deps = [], grpc = False, visibility = None):
    """A C++ library of the messages (and with grpc = True the services) of srcs.

    Args:
      name: of the library.
      srcs: .proto files of this package, which is two below //proto; they import one another by their path from there
        ("historian/v1/samples.proto"), as other languages do. C++ includes their headers by the path from the workspace's root.
      imports: .proto files of other packages that srcs import.
      deps: the libraries generated from imports.
      grpc: also generate the gRPC services.
      visibility: as everywhere.
    """
    outs = _generate(name, srcs, imports, grpc)
    native.cc_library(
        name = name,
        srcs = [out for out in outs if out.endswith(".cc")],
        hdrs = [out for out in outs if out.endswith(".h")],
        # Generated code does not promise our warnings.
        copts = ["-w"],
        visibility = visibility,
        deps = deps + ["//proto:root"] + (["@system//:grpc"] if grpc else ["@system//:protobuf"]),
    )
