# The encoder's oracle: protobuf-c, with code generated from our own .proto. Generated code answers to
# nobody's warnings.
find_program(PROTOC_C protoc-c REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
set(rw_generated ${CMAKE_BINARY_DIR}/generated/rw)
file(MAKE_DIRECTORY ${rw_generated})
add_custom_command(
    OUTPUT ${rw_generated}/remote_write.pb-c.c ${rw_generated}/remote_write.pb-c.h
    COMMAND ${PROTOC_C} --c_out=${rw_generated} --proto_path=${folder} ${folder}/remote_write.proto
    DEPENDS ${folder}/remote_write.proto
    VERBATIM)
target_sources(test_rw PRIVATE ${rw_generated}/remote_write.pb-c.c)
set_source_files_properties(${rw_generated}/remote_write.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
target_include_directories(test_rw SYSTEM PRIVATE ${rw_generated})
target_link_libraries(test_rw PRIVATE PkgConfig::PROTOBUF_C)
