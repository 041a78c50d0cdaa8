//! A support agent at the org's console, through its forms.

use reqwest::StatusCode;

use crate::{
    cloud::Cloud,
    http,
    report::{Broken, expect},
};

pub(crate) struct Agent {
    http: reqwest::Client,
    console: String,
}

impl Agent {
    pub(crate) fn at(cloud: &Cloud) -> Result<Self, Broken> {
        let console = format!("{}/console", cloud.addresses.salesforce.trim_end_matches('/'));
        Ok(Self { http: http::client()?, console })
    }

    pub(crate) async fn take(&self, case: &str) -> Result<(), Broken> {
        self.submit(case, "take", &[]).await
    }

    pub(crate) async fn status(&self, case: &str, status: &str) -> Result<(), Broken> {
        self.submit(case, "status", &[("status", status)]).await
    }

    pub(crate) async fn close(&self, case: &str) -> Result<(), Broken> {
        self.submit(case, "close", &[]).await
    }

    pub(crate) async fn comment(&self, case: &str, body: &str, public: bool) -> Result<(), Broken> {
        let mut form = vec![("body", body)];
        if public {
            form.push(("public", "on"));
        }
        self.submit(case, "comments", &form).await
    }

    pub(crate) async fn log_time(&self, case: &str, minutes: &str, what: &str) -> Result<(), Broken> {
        let form = [
            ("minutes", minutes),
            ("date", "2026-11-20"),
            ("role", "Consultant"),
            ("description", what),
            ("billable", "on"),
        ];
        self.submit(case, "time", &form).await
    }

    /// The page of a case.
    pub(crate) async fn page(&self, case: &str) -> Result<String, Broken> {
        let answer = self.http.get(format!("{}/cases/{case}", self.console)).send().await?;
        expect(answer.status() == StatusCode::OK, format!("the console answered {}", answer.status()))?;
        Ok(answer.text().await?)
    }

    async fn submit(&self, case: &str, action: &str, form: &[(&str, &str)]) -> Result<(), Broken> {
        let url = format!("{}/cases/{case}/{action}", self.console);
        let answer = self.http.post(url).form(form).send().await?;
        let status = answer.status();
        // The console answers a form that it took with a redirect.
        expect(
            status == StatusCode::SEE_OTHER,
            format!("the console answered {action} with {status}: {}", answer.text().await?),
        )
    }
}
