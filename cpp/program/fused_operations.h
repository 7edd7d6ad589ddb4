// Operations that only programs use: what the passes put in the place of several others.
#pragma once

#include <string_view>

namespace dyconv {

// Before the first program is made; once a process.
void RegisterFusedOperations();

// Whether only passes make steps of an operation: it trusts what they packed, so that files must not name it.
bool IsFusedOperation(std::string_view name);

}  // namespace dyconv
