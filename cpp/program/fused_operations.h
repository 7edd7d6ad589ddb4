// Operations that only programs use: what the passes put in the place of several others.
#pragma once

namespace dyconv {

// Before the first program is made; once a process.
void RegisterFusedOperations();

}  // namespace dyconv
