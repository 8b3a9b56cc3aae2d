//! What one execution leaves in its instance is in no other one, also where the pool gives the next one the very same slot.

use currant_host::runtime::RuntimeSettings;

use crate::bare::Bare;
use crate::world::{World, settings};

/// Answers what it finds in its memory, its global and its table, and in how much memory; then writes everywhere, and takes more.
const TRACES: Bare<'_> = Bare {
    describe: "",
    imports: "",
    given: "",
    core: r#"
        (global $kept (mut i32) (i32.const 7))
        (table $table 10 100 funcref)
        (elem declare func $realloc)
        (data (i32.const 1024) "[0,0,00,00]")"#,
    run: r"
        ;; Somewhere in the middle of what it writes.
        (i32.store8 (i32.const 1025) (i32.add (i32.const 48) (i32.load8_u (i32.const 2000000))))
        (i32.store8 (i32.const 1027) (i32.add (i32.const 48) (global.get $kept)))
        (i32.store8 (i32.const 1029) (i32.const 49))
        (i32.store8 (i32.const 1030) (i32.add (i32.const 38) (table.size $table)))
        (i32.store8 (i32.const 1032) (i32.add (i32.const 48) (i32.div_u (memory.size) (i32.const 10))))
        (i32.store8 (i32.const 1033) (i32.add (i32.const 48) (i32.rem_u (memory.size) (i32.const 10))))
        (memory.fill (i32.const 131072) (i32.const 1) (i32.const 4063232))
        (drop (memory.grow (i32.const 100)))
        (memory.fill (i32.const 4194304) (i32.const 1) (i32.const 6553600))
        (global.set $kept (i32.const 1))
        (drop (table.grow $table (ref.func $realloc) (i32.const 50)))
        (i32.store (i32.const 520) (i32.const 1024))
        (i32.store (i32.const 524) (i32.const 11))
        (i32.const 512)",
};

#[tokio::test]
async fn memory_tables_and_globals_are_as_new_each_time() {
    let world = World::of(TRACES.build(), RuntimeSettings { instances: 1, ..settings() }).await;
    for _ in 0..5 {
        let found = world.completed("anything", "null").await;
        assert_eq!(found, serde_json::json!([0, 7, 10, 64]));
    }
}
