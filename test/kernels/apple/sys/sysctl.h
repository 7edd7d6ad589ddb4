// What dispatch.cc uses of this header of macOS, which other systems lack: for a check of the syntax alone.
#pragma once

#include <stddef.h>

extern "C" int sysctlbyname(const char* name, void* old_value, size_t* old_size, void* new_value, size_t new_size);
