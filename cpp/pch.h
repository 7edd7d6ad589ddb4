// Precompiled once for napi/, bindings/ and ops/: the headers that cost most. ops/ must not use Napi:
// scripts/check-layout.js looks.
#pragma once

#include <napi.h>

#include <ATen/ATen.h>
#include <ATen/TensorIndexing.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>
