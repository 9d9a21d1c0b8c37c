// Reading the fields of a call's object: each is checked once, with an error that says what was expected.
#pragma once
#include <napi.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace lstm_native {

class Arguments {
 public:
  Arguments(const char* place, Napi::Object object) : place_(place), object_(object) {}

  int integer(const char* name) const {
    const double value = number(name);
    if (!(value >= 0) || value > std::numeric_limits<int>::max() || value != std::floor(value)) {
      fail(name, "an integer from 0 to 2147483647", std::to_string(value));
    }
    return static_cast<int>(value);
  }

  float real(const char* name) const { return static_cast<float>(number(name)); }

  double number(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsNumber()) fail(name, "a number", "something else");
    return value.As<Napi::Number>().DoubleValue();
  }

  // Absent counts as false.
  bool flag(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (value.IsUndefined()) return false;
    if (!value.IsBoolean()) fail(name, "a boolean", "something else");
    return value.As<Napi::Boolean>().Value();
  }

  bool has(const char* name) const { return !object_.Get(name).IsUndefined(); }

  std::string text(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsString()) fail(name, "a string", "something else");
    return value.As<Napi::String>().Utf8Value();
  }

  bool is_number(const char* name) const { return object_.Get(name).IsNumber(); }

  Arguments object(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (!value.IsObject()) fail(name, "an object", "something else");
    return Arguments(place_, value.As<Napi::Object>());
  }

  // A Float32Array of at least `length` elements.
  float* floats(const char* name, std::size_t length) const {
    float* data = optional_floats(name, length);
    if (data == nullptr) fail(name, "a Float32Array", "nothing");
    return data;
  }

  // The same, or null where the field is absent.
  float* optional_floats(const char* name, std::size_t length) const {
    return array<float, napi_float32_array>(name, length, "Float32Array");
  }

  std::int32_t* integers(const char* name, std::size_t length) const {
    std::int32_t* data = optional_integers(name, length);
    if (data == nullptr) fail(name, "an Int32Array", "nothing");
    return data;
  }

  std::int32_t* optional_integers(const char* name, std::size_t length) const {
    return array<std::int32_t, napi_int32_array>(name, length, "Int32Array");
  }

  // B integers from 0 to T, or null where the field is absent.
  std::int32_t* optional_lengths(const char* name, int B, int T) const {
    std::int32_t* lengths = optional_integers(name, static_cast<std::size_t>(B));
    for (int b = 0; lengths != nullptr && b < B; b++) {
      if (lengths[b] < 0 || lengths[b] > T)
        fail(name, "integers from 0 to " + std::to_string(T), std::to_string(lengths[b]));
    }
    return lengths;
  }

  std::uint8_t* optional_bytes(const char* name, std::size_t length) const {
    return array<std::uint8_t, napi_uint8_array>(name, length, "Uint8Array");
  }

  // Absent counts as 0.
  float optional_real(const char* name) const { return object_.Get(name).IsUndefined() ? 0 : real(name); }

  [[noreturn]] void fail(const char* name, const std::string& expected, const std::string& got) const {
    throw Napi::TypeError::New(
        object_.Env(), std::string(place_) + ": expected " + name + " to be " + expected + ", got " + got);
  }

 private:
  template <typename T, napi_typedarray_type type>
  T* array(const char* name, std::size_t length, const char* kind) const {
    const Napi::Value value = object_.Get(name);
    if (value.IsUndefined()) return nullptr;
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
      fail(name, std::string("a ") + kind, "something else");
    const Napi::TypedArrayOf<T> typed = value.As<Napi::TypedArrayOf<T>>();
    if (typed.ElementLength() < length) {
      fail(name, std::string("a ") + kind + " of at least " + std::to_string(length) + " elements",
           std::to_string(typed.ElementLength()));
    }
    // An empty array may have no memory at all; kernels tell "absent" by null.
    static T empty;
    T* data = const_cast<T*>(typed.Data());
    return data != nullptr ? data : &empty;
  }

  const char* place_;
  Napi::Object object_;
};

}  // namespace lstm_native
