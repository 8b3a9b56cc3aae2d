//! A module that traps while it is instantiated, in what other languages call a static constructor.

currant::module!();

#[used]
#[unsafe(link_section = ".init_array")]
static EARLY: extern "C" fn() = early;

extern "C" fn early() {
    panic!("too early")
}
