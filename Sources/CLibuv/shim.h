// The module map's header; pkg-config supplies the include path of uv.h.
#ifndef TAPLINE_CLIBUV_SHIM_H
#define TAPLINE_CLIBUV_SHIM_H

#include <uv.h>

#endif
