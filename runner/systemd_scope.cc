#include "runner/systemd_scope.h"

#include <dlfcn.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace progtc::runner {
namespace {

// The few functions of libsystemd used here, found at run time under their own types.
struct Library {
  void* handle = nullptr;
  decltype(&::sd_bus_open_user) open_user = nullptr;
  decltype(&::sd_bus_open_system) open_system = nullptr;
  decltype(&::sd_bus_flush_close_unref) flush_close_unref = nullptr;
  decltype(&::sd_bus_call_method) call_method = nullptr;
  decltype(&::sd_bus_match_signal) match_signal = nullptr;
  decltype(&::sd_bus_message_read) message_read = nullptr;
  decltype(&::sd_bus_message_unref) message_unref = nullptr;
  decltype(&::sd_bus_process) process = nullptr;
  decltype(&::sd_bus_wait) wait = nullptr;
  decltype(&::sd_bus_error_free) error_free = nullptr;
  decltype(&::sd_bus_get_property_trivial) get_property_trivial = nullptr;

  template <typename Function>
  bool find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(handle, name));
    return function != nullptr;
  }
  bool load() {
    handle = ::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
    return handle && find(open_user, "sd_bus_open_user") && find(open_system, "sd_bus_open_system") &&
           find(flush_close_unref, "sd_bus_flush_close_unref") && find(call_method, "sd_bus_call_method") &&
           find(match_signal, "sd_bus_match_signal") && find(message_read, "sd_bus_message_read") &&
           find(message_unref, "sd_bus_message_unref") && find(process, "sd_bus_process") &&
           find(wait, "sd_bus_wait") && find(error_free, "sd_bus_error_free") &&
           find(get_property_trivial, "sd_bus_get_property_trivial");
  }
};

struct WaitedJob {
  const Library* bus = nullptr;
  std::string unit;
  bool is_over = false;
  std::string result;
};

int on_job_removed(sd_bus_message* message, void* userdata, sd_bus_error*) {
  auto* waited = static_cast<WaitedJob*>(userdata);
  std::uint32_t id = 0;
  const char* job = nullptr;
  const char* unit = nullptr;
  const char* result = nullptr;
  if (waited->bus->message_read(message, "uoss", &id, &job, &unit, &result) >= 0 && waited->unit == unit) {
    waited->is_over = true;
    waited->result = result;
  }
  return 0;
}

Error bus_error(int negative_errno, const std::string& attempted) { return from_errno(-negative_errno, attempted); }

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";

Library& library() {
  static Library loaded;
  return loaded;
}
struct Close {
  void operator()(sd_bus* bus) const { library().flush_close_unref(bus); }
};
using Bus = std::unique_ptr<sd_bus, Close>;

Result<Bus> connect() {
  static const bool kIsLoaded = library().load();
  if (!kIsLoaded)
    return Error{boost::system::errc::make_error_code(boost::system::errc::not_supported),
                 "libsystemd is not installed, so no scope can be asked for"};
  sd_bus* raw = nullptr;
  const bool is_root = ::geteuid() == 0;
  if (const int failed = is_root ? library().open_system(&raw) : library().open_user(&raw); failed < 0)
    return bus_error(failed, is_root ? "connect to the system's D-Bus" : "connect to the user's D-Bus");
  return Bus(raw);
}

}  // namespace

Result<bool> is_unit_delegated() {
  PROGTC_TRY(const auto bus, connect());
  sd_bus_message* raw = nullptr;
  if (const int failed = library().call_method(bus.get(), kService, kPath, kManager, "GetUnitByPID", nullptr, &raw, "u",
                                               static_cast<std::uint32_t>(::getpid()));
      failed < 0)
    return bus_error(failed, "ask systemd for this process's unit");
  const std::unique_ptr<sd_bus_message, decltype(&::sd_bus_message_unref)> reply(raw, library().message_unref);
  const char* unit = nullptr;
  if (const int failed = library().message_read(reply.get(), "o", &unit); failed < 0)
    return bus_error(failed, "read systemd's answer");
  // In an object's path every byte but letters and digits is escaped: ".scope" is "_2escope".
  const bool is_scope = std::string_view(unit).ends_with("_2escope");
  int is_delegated = 0;
  if (const int failed = library().get_property_trivial(
          bus.get(), kService, unit, is_scope ? "org.freedesktop.systemd1.Scope" : "org.freedesktop.systemd1.Service",
          "Delegate", nullptr, 'b', &is_delegated);
      failed < 0)
    return bus_error(failed, "ask systemd whether this process's unit is delegated");
  return is_delegated != 0;
}

Result<void> enter_systemd_scope() {
  PROGTC_TRY(const auto bus, connect());
  WaitedJob waited;
  waited.bus = &library();
  waited.unit = "progtc-" + std::to_string(::getpid()) + ".scope";
  if (const int failed =
          library().match_signal(bus.get(), nullptr, kService, kPath, kManager, "JobRemoved", on_job_removed, &waited);
      failed < 0)
    return bus_error(failed, "watch systemd's jobs");
  sd_bus_error error{};  // SD_BUS_ERROR_NULL, which is not C++ to every compiler
  const int failed = library().call_method(
      bus.get(), kService, kPath, kManager, "StartTransientUnit", &error, nullptr, "ssa(sv)a(sa(sv))",
      waited.unit.c_str(), "fail", 4, "Description", "s", "progtc-run sandboxes", "Delegate", "b", 1, "CollectMode",
      "s", "inactive-or-failed", "PIDs", "au", 1, static_cast<std::uint32_t>(::getpid()), 0);
  if (failed < 0) {
    const std::string said = error.message ? std::string(": ") + error.message : "";
    library().error_free(&error);
    return bus_error(failed, "ask systemd for a scope" + said);
  }
  while (!waited.is_over) {
    const int handled = library().process(bus.get(), nullptr);
    if (handled < 0) return bus_error(handled, "wait for systemd's scope");
    if (handled > 0) continue;
    const int woken = library().wait(bus.get(), 5'000'000);  // µs; systemd answers in milliseconds or not at all
    if (woken < 0) return bus_error(woken, "wait for systemd's scope");
    if (woken == 0) return from_errno(ETIMEDOUT, "wait for systemd's scope");
  }
  if (waited.result != "done") return from_errno(EIO, "systemd's scope ended as '" + waited.result + "'");
  return {};
}

}  // namespace progtc::runner
