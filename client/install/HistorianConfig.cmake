# Gives the target Historian::client.
#
#   find_package(Historian 0.1 REQUIRED)
#   target_link_libraries(my_program PRIVATE Historian::client)
include(CMakeFindDependencyMacro)
find_dependency(PkgConfig)
find_dependency(Threads)

get_filename_component(_historian_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET Historian::client)
  # What it stands on is found as the compiler's own users find it: Debian has pkg-config files for all of it.
  pkg_check_modules(HISTORIAN_DEPENDS REQUIRED IMPORTED_TARGET
    grpc++ protobuf absl_flat_hash_map absl_flat_hash_set absl_hash absl_status absl_statusor absl_str_format absl_strings
    absl_synchronization absl_time)
  add_library(Historian::client STATIC IMPORTED)
  set_target_properties(Historian::client PROPERTIES
    IMPORTED_LOCATION "${_historian_prefix}/lib/libhistorian_client.a"
    INTERFACE_COMPILE_FEATURES cxx_std_20
    INTERFACE_INCLUDE_DIRECTORIES "${_historian_prefix}/include/historian;${_historian_prefix}/include/historian/proto"
    INTERFACE_LINK_LIBRARIES "PkgConfig::HISTORIAN_DEPENDS;Threads::Threads")
endif()
unset(_historian_prefix)
