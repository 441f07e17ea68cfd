// ThreadSanitizer's suppressions, linked in: a child process that a test starts has them as well, wherever it
// runs.
//
// Only for libraries that are not instrumented, and so hide their own synchronisation. `race:` takes every
// report with such a frame in it. TSan sees no frames inside these libraries but the one that calls us or
// libc, so this means memory that they free, copy or have our templates handle. Our handlers and reactors are
// called from libgrpc++.so, so there only the innermost frame (`race_top:`) counts: races between two
// handlers are found. libabsl_synchronization.so must not be here: conditions are evaluated from within.
// called_from_lib would not do: it also hides the library's use of pthread mutexes and sockets, which carry
// our happens-before.

#ifndef __SANITIZE_THREAD__
#error "Only for --config=tsan."
#endif

extern "C" const char* __tsan_default_suppressions() {
  return "race:librocksdb.so\n"
         "race:libgrpc.so\n"
         "race:libgpr.so\n"
         "race:libupb.so\n"
         "race:libcrypto.so\n"
         "race:libabsl_cord\n"
         "race:libabsl_status.so\n"
         "race:absl::*::Status::Unref\n"
         "race:libabsl_str_format\n"
         "race:libabsl_strings.so\n"
         "race:libabsl_time\n"
         "race_top:libgrpc++.so\n"
         "race_top:/usr/include/grpcpp/\n"
         // gRPC's templates, compiled with our code.
         "race:grpc::internal::CallOpSet\n"
         "race:grpc::internal::CallbackWithSuccessTag::Set\n"
         "race:grpc::internal::InterceptorBatchMethodsImpl\n"
         // Requests that arrive on another thread than the call was made ready on.
         "race:grpc::internal::Callback*Handler<*::Deserialize\n"
         "race:grpc::internal::RpcMethodHandler<*::Deserialize\n"
         // A call's memory, freed on another thread than its last callback was looked at on.
         "race_top:std::_Function_base::_M_empty\n"
         "race_top:std::function<void (bool)>::operator()\n";
}
