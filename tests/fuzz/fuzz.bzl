"""fuzz_test: a libFuzzer target that is also an ordinary test."""

def fuzz_test(name, srcs, deps, seconds = 2, **kwargs):
    """A fuzz target: a test in every build, and what tools/fuzz runs under libFuzzer.

    Args:
      name: of the target; ends with _fuzz. Its corpus is in tests/fuzz/corpus/NAME.
      srcs: define LLVMFuzzerTestOneInput and FuzzSeeds (tests/fuzz/driver.h).
      deps: what they use, without the driver.
      seconds: for how long the test mutates.
      **kwargs: as for cc_test.
    """
    native.cc_test(
        name = name,
        size = "small",
        srcs = srcs,
        args = [
            "--corpus=tests/fuzz/corpus/" + name,
            "--seconds=%s" % seconds,
        ],
        data = ["//tests/fuzz:corpus_" + name],
        tags = ["fuzz"],
        deps = deps + ["//tests/fuzz:driver"],
        **kwargs
    )
