"""Commands that outlive the page, the browser and the dashboard."""
