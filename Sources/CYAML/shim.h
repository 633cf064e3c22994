// libyaml for Swift.
#ifndef TAPLINE_CYAML_SHIM_H
#define TAPLINE_CYAML_SHIM_H

#include <yaml.h>

#endif
