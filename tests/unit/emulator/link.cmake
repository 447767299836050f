# The emulator is a program, not a library: its parts but for the HTTP side and main are compiled in.
file(GLOB emulator_parts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/emulator/*.c)
list(REMOVE_ITEM emulator_parts ${CMAKE_SOURCE_DIR}/tools/emulator/main.c ${CMAKE_SOURCE_DIR}/tools/emulator/server.c)
target_sources(test_emulator PRIVATE ${emulator_parts})
target_include_directories(test_emulator PRIVATE ${CMAKE_SOURCE_DIR}/tools/emulator)
target_link_libraries(test_emulator PRIVATE PkgConfig::SQLITE)
