"""The pages' URLs."""

from django.urls import path

from tasks.web import acts, bulk, items, log, new_task, preferences, stats, task_list, task_page, workers

app_name = "tasks"

urlpatterns = [
    path("", task_list.task_list, name="list"),
    path("tasks/_table/", task_list.task_table, name="table"),
    path("tasks/_counts/", task_list.task_counts, name="counts"),
    path("tasks/bulk/", bulk.bulk, name="bulk"),
    path("tasks/export.csv", bulk.export, name="export"),
    path("tasks/new/", new_task.new, name="new"),
    path("tasks/new/samples/", new_task.samples, name="samples"),
    path("tasks/new/<str:kind>/", new_task.new_kind, name="new_kind"),
    path("tasks/<uuid:task_id>/", task_page.task, name="task"),
    path("tasks/<uuid:task_id>/_live/", task_page.task_live, name="task_live"),
    path("tasks/<uuid:task_id>/cancel/", acts.cancel, name="cancel"),
    path("tasks/<uuid:task_id>/retry/", acts.retry, name="retry"),
    path("tasks/<uuid:task_id>/again/", acts.again, name="again"),
    path("tasks/<uuid:task_id>/delete/", acts.delete, name="delete"),
    path("tasks/<uuid:task_id>/log/", log.log, name="log"),
    path("tasks/<uuid:task_id>/_lines/", log.log_lines, name="log_lines"),
    path("tasks/<uuid:task_id>/items.csv", items.items, name="items"),
    path("files/<uuid:file_id>/", task_page.file, name="file"),
    path("workers/", workers.workers, name="workers"),
    path("workers/_live/", workers.workers_live, name="workers_live"),
    path("workers/queues/<str:queue>/", workers.queue, name="queue"),
    path("stats/", stats.stats, name="stats"),
    path("stats/_live/", stats.stats_live, name="stats_live"),
    path("preferences/", preferences.preferences, name="preferences"),
]
