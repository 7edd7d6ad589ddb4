#include "ops/dynamic_conv/reference.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/ref/dynamic_conv.h"
#include "ops/dynamic_conv/composed.h"

namespace dyconv {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

const double* DoublesOf(const at::Tensor& tensor) { return tensor.const_data_ptr<double>(); }

// All arguments are contiguous float64 CPU tensors.
class ReferenceFunction : public torch::autograd::Function<ReferenceFunction> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const Variable& weight,
                          const Variable& attention, const std::optional<at::Tensor>& bias,
                          const DynamicConvOptions& options) {
    ctx->save_for_backward({input, weight, attention, bias.value_or(at::Tensor())});
    ctx->saved_data["geometry"] = PackGeometry(options);
    const auto shape = MakeDynamicConvProblem(input, weight, attention, bias, options).shape;
    auto output = at::empty({shape.batch, shape.out_channels, shape.out_h, shape.out_w}, input.options());
    kernels::ref::DynamicConvForward(shape, DoublesOf(input), DoublesOf(weight), DoublesOf(attention),
                                     bias ? DoublesOf(*bias) : nullptr, output.data_ptr<double>());
    return output;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    const auto options = UnpackGeometry(ctx->saved_data["geometry"].toIntVector());
    const auto& bias = saved[3];
    const auto problem =
        MakeDynamicConvProblem(saved[0], saved[1], saved[2],
                               bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt, options);
    if (at::GradMode::is_enabled()) {
      auto grads =
          DifferentiableGrads(problem, grad_outputs[0],
                              {ctx->needs_input_grad(0), ctx->needs_input_grad(1), ctx->needs_input_grad(2),
                               bias.defined() && ctx->needs_input_grad(3)});
      grads.emplace_back();
      return grads;
    }
    const auto grad_output = grad_outputs[0].contiguous();
    variable_list grads(5);
    for (size_t i = 0; i < 4; ++i) {
      if (saved[i].defined()) grads[i] = at::zeros_like(saved[i]);
    }
    kernels::ref::DynamicConvBackward(
        problem.shape, DoublesOf(saved[0]), DoublesOf(saved[1]), DoublesOf(saved[2]),
        bias.defined() ? DoublesOf(bias) : nullptr, DoublesOf(grad_output),
        {grads[0].data_ptr<double>(), grads[1].data_ptr<double>(), grads[2].data_ptr<double>(),
         bias.defined() ? grads[3].data_ptr<double>() : nullptr});
    return grads;
  }
};

}  // namespace

at::Tensor DynamicConvReference(const DynamicConvProblem& p) {
  const auto exact = [](const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kDouble).contiguous(); };
  std::optional<at::Tensor> bias;
  if (p.bias) bias = exact(*p.bias);
  return ReferenceFunction::apply(exact(p.input), exact(p.weight), exact(p.attention), bias, p.options)
      .to(p.input.device(), p.input.scalar_type())
      .contiguous(p.input.suggest_memory_format());
}

}  // namespace dyconv
