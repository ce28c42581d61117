# Arrays from sklearn.datasets; ten classes; two searches compared; a function that draws; a dead end that raises.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
digits = load_digits()
dir(digits)

# %%
plt.gray()
for i in range(3):
    plt.matshow(digits.images[i])

# %%
def show(i):
    plt.imshow(digits.images[i])
    plt.title(digits.target[i])

show(67)

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(digits.data / 16, digits.target, test_size=0.2)

# %%
from sklearn.linear_model import LogisticRegression
model = LogisticRegression(max_iter=200)
model.fit(X_train, y_train)

# %%
model.score(X_test, y_test)

# %%
model.predict(digits.data[0:5] / 16)

# %%
# sns is not installed here :(
sns.heatmap(confusion)

# %%
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import RandomizedSearchCV
search = RandomizedSearchCV(RandomForestClassifier(random_state=1), {'n_estimators': [10, 20, 30], 'max_depth': [4, 8, None]},
                            n_iter=3, cv=2, random_state=1)
search.fit(X_train, y_train)
search.best_params_

# %%
y_predicted = model.predict(X_test)
from sklearn.metrics import accuracy_score, confusion_matrix
cm = confusion_matrix(y_test, y_predicted)
cm

# %%
print(accuracy_score(y_test, y_predicted), accuracy_score(y_test, search.predict(X_test)))
