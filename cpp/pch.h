// Precompiled once for everything but kernels/: the headers that cost most. Only napi/ and bindings/ may use
// Napi: scripts/check-layout.js looks. Most of the time, of the memory and of the templates that gcc
// instantiates for every unit is due to ATen/Functions.h, all operators, which bindings/ uses.
#pragma once

#include <napi.h>

#include <ATen/ATen.h>
#include <ATen/TensorIndexing.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>
