//! The contract in `wit/`, generated. Only `imports/` and `runtime/` use it.

#![allow(unreachable_pub, reason = "generated: everything in it is `pub`, whatever it is in")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "module",
    imports: {
        // These two may suspend: the guest's fiber parks in them until the run has an answer.
        "currant:guest/workflow.wait": async | trappable,
        "currant:guest/workflow.begin-step": async | trappable,
        // A misuse of any function, such as a durable operation in a task, is a trap with a sentence.
        default: trappable,
    },
    exports: { default: async },
    with: { "currant:guest/telemetry.span": crate::imports::telemetry::Span },
});
