# Language level, warnings and hardening, for gcc and clang. -Werror only through the presets, so that a stranger's
# newer compiler still builds.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
option(WALSHIP_WERROR "warnings are errors" OFF)
option(WALSHIP_FUZZ "build the libFuzzer targets (clang)" OFF)
option(WALSHIP_COVERAGE "source coverage (clang)" OFF)
set(WALSHIP_SANITIZE "" CACHE STRING "sanitizers, as -fsanitize= takes them")

set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual -Wpointer-arith
    -Wwrite-strings -Wundef -Wvla -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes
    -Wmissing-declarations -Wredundant-decls -Wnested-externs -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum
    -Wnull-dereference -Wdouble-promotion -Wfloat-equal -Wunused-macros -Winit-self -Wdate-time)
set(warnings_gcc -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wrestrict -Wjump-misses-init -Wformat-overflow=2
    -Wformat-truncation=2 -Wformat-signedness -Walloc-zero -Wtrampolines -Wstringop-overflow=4 -Warith-conversion)
set(warnings_clang -Wconditional-uninitialized -Wcomma -Wassign-enum -Wshorten-64-to-32
    -Wunreachable-code-aggressive -Wextra-semi-stmt -Wno-string-conversion
    -Wno-gnu-zero-variadic-macro-arguments)
if(WALSHIP_WERROR)
    list(APPEND warnings -Werror)
endif()

add_library(walship_flags INTERFACE)
target_compile_definitions(walship_flags INTERFACE _GNU_SOURCE WALSHIP_VERSION="${PROJECT_VERSION}")
target_compile_options(walship_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C>:${warnings}>
    $<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:GNU>>:${warnings_gcc}>
    $<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:Clang>>:${warnings_clang}>
    -fstack-protector-strong -fstack-clash-protection -fcf-protection -fno-strict-aliasing -fno-omit-frame-pointer
    $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE>
    $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=3>)
target_link_options(walship_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

if(WALSHIP_SANITIZE)
    add_compile_options(-fsanitize=${WALSHIP_SANITIZE} -fno-sanitize-recover=all -g -O1)
    add_link_options(-fsanitize=${WALSHIP_SANITIZE})
endif()
if(WALSHIP_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(WALSHIP_COVERAGE)
    add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
    add_link_options(-fprofile-instr-generate -fcoverage-mapping)
endif()
