// What scripts add to pages that work without them: the toast floats and is spoken, the preview of a
// deletion opens over the page, a form is sent once, and pickers search while one types.
(() => {
	"use strict";
	const root = document.documentElement;
	root.classList.add("scripted");

	const say = (text) => {
		const place = document.getElementById("announce");
		if (place) place.textContent = text.trim();
	};

	// The address tells of something done once; reloading or sharing the page must not tell it again.
	const address = new URL(location.href);
	if (address.searchParams.has("notice") || address.searchParams.has("deletion")) {
		address.searchParams.delete("notice");
		address.searchParams.delete("deletion");
		history.replaceState(history.state, "", address);
	}
	const toast = document.querySelector("[data-toast]");
	if (toast) setTimeout(() => say((toast.querySelector("p") || toast).textContent), 300);
	const wrong = document.querySelector("[data-focus]");
	if (wrong) wrong.focus();

	// The dialog holds the part of a page that has the id it asked for.
	const dialog = document.getElementById("dialog");
	let opener = null;
	document.addEventListener("htmx:afterSwap", (event) => {
		if (event.target === dialog && dialog.firstElementChild) {
			opener = document.activeElement;
			if (!dialog.open) dialog.showModal();
		}
		if (event.target.id === "results") {
			const count = document.querySelector("#results .count, #results .hollow");
			if (count) say(count.textContent);
		}
	});
	if (dialog) {
		dialog.addEventListener("click", (event) => {
			const close = event.target.closest("[data-close]");
			if (close || event.target === dialog) {
				event.preventDefault();
				dialog.close();
			}
		});
		dialog.addEventListener("close", () => {
			dialog.replaceChildren();
			if (opener && opener.isConnected) opener.focus();
		});
	}

	// What cannot be shown in part is shown whole: the page that says why.
	document.addEventListener("htmx:responseError", (event) => {
		location.assign(event.detail.pathInfo.finalRequestPath || event.detail.pathInfo.requestPath);
	});
	document.addEventListener("htmx:sendError", () => say("There is no connection at the moment."));

	// A form is sent once, however often one clicks; coming back to it makes it usable again.
	document.addEventListener("submit", (event) => {
		const form = event.target;
		if (!form.matches("[data-once]")) return;
		if (form.dataset.sent) {
			event.preventDefault();
			return;
		}
		form.dataset.sent = "yes";
		const by = event.submitter;
		if (by) by.setAttribute("aria-disabled", "true");
		if (!by || by.name !== "find") {
			for (const find of form.querySelectorAll("[data-find]")) find.disabled = true;
		}
	});
	window.addEventListener("pageshow", (event) => {
		if (!event.persisted) return;
		for (const form of document.querySelectorAll("[data-sent]")) {
			delete form.dataset.sent;
			for (const off of form.querySelectorAll("[aria-disabled]")) off.removeAttribute("aria-disabled");
			for (const find of form.querySelectorAll("[data-find]")) find.disabled = false;
		}
	});

	// Return in a picker's search looks, and does not save.
	document.addEventListener("keydown", (event) => {
		if (event.key === "Enter" && event.target.matches("[data-find]")) event.preventDefault();
	});

	// A click elsewhere, or Escape, closes the account's menu.
	const account = document.querySelector(".account");
	if (account) {
		document.addEventListener("click", (event) => {
			if (!account.contains(event.target)) account.open = false;
		});
		account.addEventListener("keydown", (event) => {
			if (event.key === "Escape" && account.open) {
				account.open = false;
				account.querySelector("summary").focus();
			}
		});
	}
})();
