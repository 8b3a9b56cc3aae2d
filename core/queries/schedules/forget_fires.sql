-- Times that are long past. The last one of each schedule stays: by it is known what was started before.
delete from currant.schedule_fires fire
where fire.fire_at < currant.now() - interval '90 days' and fire.status <> 'waiting'
  and exists (select from currant.schedule_fires later where later.schedule = fire.schedule and later.fire_at > fire.fire_at);
