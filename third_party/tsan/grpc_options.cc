// What a server and a client in one process tell each other goes through sockets and through gRPC's own
// queues, which TSan does not see. io_sync=2 takes every write to a file or socket as happening before every
// later read of any. That hides some races around input and output, hence only in what links gRPC.

#ifndef __SANITIZE_THREAD__
#error "Only for --config=tsan."
#endif

extern "C" const char* __tsan_default_options() { return "io_sync=2"; }
