// Precompiled once for napi/, bindings/ and ops/: the headers that cost seconds each.
#pragma once

#include <ATen/ATen.h>
#include <ATen/TensorIndexing.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>
