// libuv for Swift. Only what Swift cannot import by itself is added here: macros with arguments and variadic functions.
#ifndef TAPLINE_CLIBUV_SHIM_H
#define TAPLINE_CLIBUV_SHIM_H

#include <uv.h>

// UV_VERSION_HEX is a macro with operators, which the importer leaves out.
static inline unsigned int tapline_uv_version_hex(void) { return UV_VERSION_HEX; }

#endif
